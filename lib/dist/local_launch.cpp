#include "dist/local_launch.hpp"

#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <thread>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "dist/rendezvous.hpp"

namespace sst::dist {
namespace {

constexpr std::array kForwarded = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
constexpr double kPatienceSeconds = 30,
                 kKillSeconds = 10;  // after the first failure: until SIGTERM, then until SIGKILL
constexpr const char* kLaunchedHere = "SST_LOCAL_LAUNCH";
constexpr auto kLook = std::chrono::milliseconds(20);

// Any thread may be the one that a signal interrupts, the store's too.
std::atomic<int> signal_to_forward = 0;
static_assert(std::atomic<int>::is_always_lock_free);  // which a handler needs

void remember(int signal) { signal_to_forward = signal; }

/// Handlers for as long as this lives.
class Forwarding {
 public:
  Forwarding() {
    signal_to_forward = 0;
    struct sigaction action {};
    action.sa_handler = remember;
    for (size_t i = 0; i < kForwarded.size(); ++i) ::sigaction(kForwarded[i], &action, &before_[i]);
  }
  ~Forwarding() {
    for (size_t i = 0; i < kForwarded.size(); ++i) ::sigaction(kForwarded[i], &before_[i], nullptr);
  }
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;

 private:
  std::array<struct sigaction, kForwarded.size()> before_{};
};

pid_t start(int64_t rank, int64_t count, int port, std::vector<char*>& words) {
  const pid_t parent = ::getpid(), pid = ::fork();
  if (pid < 0) throw ResourceError(fmt::format("cannot start process {} of {}: {}", rank, count, std::strerror(errno)));
  if (pid > 0) return pid;
  // A terminal sends its interrupt to a whole group: the parent alone shall have it, and passes it on once.
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(static_cast<int>(ExitCode::kDistributed));
  const auto set = [](const char* name, const std::string& value, bool overwrite = true) {
    ::setenv(name, value.c_str(), overwrite ? 1 : 0);
  };
  set("RANK", std::to_string(rank));
  set("LOCAL_RANK", std::to_string(rank));
  set("WORLD_SIZE", std::to_string(count));
  set("LOCAL_WORLD_SIZE", std::to_string(count));
  set("MASTER_ADDR", "127.0.0.1");
  set("MASTER_PORT", std::to_string(port));
  set("TORCHELASTIC_USE_AGENT_STORE", "True");
  set(kLaunchedHere, "1");
  const auto cores = static_cast<int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  set("OMP_NUM_THREADS", std::to_string(std::max<int64_t>(1, cores / count)), /*overwrite=*/false);
  ::execv("/proc/self/exe", words.data());
  ::_exit(static_cast<int>(ExitCode::kInternal));
}

bool is_failure(ExitCode code) {
  return code != ExitCode::kDone && code != ExitCode::kStopped && code != ExitCode::kInterrupted;
}

/// A process that was killed is one that the others have lost, unless the signal came by way of us.
ExitCode code_of(int status, int forwarded) {
  if (WIFEXITED(status)) return static_cast<ExitCode>(WEXITSTATUS(status));
  return WTERMSIG(status) == forwarded ? static_cast<ExitCode>(128 + forwarded) : ExitCode::kDistributed;
}

/// The processes that still run, and what came of the others.
class Children {
 public:
  explicit Children(int64_t count, const std::vector<std::string>& arguments) {
    const ServedStore store(std::chrono::minutes(10));
    std::vector<std::string> texts = arguments;
    texts.insert(texts.begin(), "sst-train");
    std::vector<char*> words;
    for (std::string& text : texts) words.push_back(text.data());
    words.push_back(nullptr);
    store_ = store.store;
    for (int64_t rank = 0; rank < count; ++rank) running_[start(rank, count, store.port, words)] = rank;
  }

  void send(int signal) const {
    for (const auto& [pid, rank] : running_) ::kill(pid, signal);
  }

  ExitCode wait() {
    while (!running_.empty()) {
      if (const int signal = signal_to_forward.exchange(0); signal != 0) send(forwarded_ = signal);
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid > 0) {
        ended(pid, status);
      } else {
        std::this_thread::sleep_for(kLook);
        hurry();
      }
    }
    return first_failure_.value_or(last_);
  }

 private:
  void ended(pid_t pid, int status) {
    const auto found = running_.find(pid);
    if (found == running_.end()) return;
    const ExitCode code = code_of(status, forwarded_);
    if (WIFSIGNALED(status)) log::error("rank {} was killed by {}", found->second, ::sigabbrev_np(WTERMSIG(status)));
    // The others fail because this one did, so that its code says more than theirs.
    if (is_failure(code) && (!first_failure_ || *first_failure_ == ExitCode::kDistributed)) first_failure_ = code;
    if (is_failure(code) && !since_failure_) since_failure_.emplace();
    last_ = std::max(last_, code);
    running_.erase(found);
  }

  void hurry() {
    if (!since_failure_) return;
    if (!asked_ && since_failure_->seconds() > kPatienceSeconds) {
      asked_ = true;
      send(SIGTERM);
    }
    if (since_failure_->seconds() > kPatienceSeconds + kKillSeconds) send(SIGKILL);
  }

  c10::intrusive_ptr<c10d::Store> store_;
  std::map<pid_t, int64_t> running_;  ///< pid → rank
  std::optional<ExitCode> first_failure_;
  ExitCode last_ = ExitCode::kDone;
  std::optional<Stopwatch> since_failure_;
  bool asked_ = false;
  int forwarded_ = 0;
};

}  // namespace

ExitCode run_locally(int64_t count, const std::vector<std::string>& arguments) {
  const Forwarding forwarding;
  return Children(count, arguments).wait();
}

bool was_launched_locally() { return std::getenv(kLaunchedHere) != nullptr; }

}  // namespace sst::dist
