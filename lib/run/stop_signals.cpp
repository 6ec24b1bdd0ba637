#include "run/stop_signals.hpp"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "core/clock.hpp"
#include "core/number.hpp"

namespace sst::run {
namespace {

constexpr std::array kHandled = {SIGTERM, SIGUSR1, SIGUSR2, SIGINT};
constexpr std::sig_atomic_t kSecondInterruptWithin_s = 5;

volatile std::sig_atomic_t first_signal = 0;
volatile std::sig_atomic_t interrupted_at_s = 0;  // on the monotonic clock; 0 = not yet

bool installed = false;
std::array<struct sigaction, kHandled.size()> former_actions;
struct sigaction former_hangup;

void on_signal(int signal) {
  if (signal == SIGINT) {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);  // unlike much else it may be called here
    const auto now_s = static_cast<std::sig_atomic_t>(now.tv_sec);
    if (interrupted_at_s != 0 && now_s - interrupted_at_s < kSecondInterruptWithin_s)
      ::_exit(static_cast<int>(ExitCode::kInterrupted));
    interrupted_at_s = now_s;
  }
  if (first_signal == 0) first_signal = signal;
}

/// Nothing where it is not set or no time.
std::optional<int64_t> slurm_end_s() {
  const char* text = std::getenv("SLURM_JOB_END_TIME");
  if (text == nullptr) return std::nullopt;
  const auto seconds = number_from<int64_t>(text);
  return seconds.value_or(0) > 0 ? seconds : std::nullopt;
}

}  // namespace

StopSignals::StopSignals(std::optional<int64_t> max_time_s) : max_time_s_(max_time_s), job_end_s_(slurm_end_s()) {
  require(!installed, "only one StopSignals at a time");
  installed = true;
  first_signal = 0;
  interrupted_at_s = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // reading or writing in progress goes on: the flag is polled
  ::sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < kHandled.size(); ++i) ::sigaction(kHandled[i], &action, &former_actions[i]);
  ::sigaction(SIGHUP, nullptr, &former_hangup);
  if (::isatty(STDIN_FILENO) == 0 && ::isatty(STDERR_FILENO) == 0) ::signal(SIGHUP, SIG_IGN);
}

StopSignals::~StopSignals() {
  for (size_t i = 0; i < kHandled.size(); ++i) ::sigaction(kHandled[i], &former_actions[i], nullptr);
  ::sigaction(SIGHUP, &former_hangup, nullptr);
  installed = false;
}

ExitCode StopSignals::exit_code() const { return first_signal == SIGINT ? ExitCode::kInterrupted : ExitCode::kStopped; }

std::string StopSignals::reason() const {
  if (const int signal = first_signal; signal != 0) return std::string("SIG") + ::sigabbrev_np(signal);
  if (budget_is_spent()) return "the time budget of " + human_duration(static_cast<double>(*max_time_s_));
  return job_ends() ? "the end of the batch job" : "";
}

bool StopSignals::budget_is_spent() const {
  const double elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  return heeds_budget_ && max_time_s_ && elapsed_s + stop_cost_s_ >= static_cast<double>(*max_time_s_);
}

bool StopSignals::job_ends() const {
  return job_end_s_ && static_cast<double>(std::time(nullptr)) + 3 * stop_cost_s_ >= static_cast<double>(*job_end_s_);
}

}  // namespace sst::run
