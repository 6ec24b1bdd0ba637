#include "run/stop_signals.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <ctime>

#include "tests/support/catch.hpp"

namespace sst::run {
namespace {

struct Case {
  int signal;
  std::string name;
  ExitCode code;
};

const std::vector<Case> kCases = {{SIGTERM, "SIGTERM", ExitCode::kStopped},
                                  {SIGUSR1, "SIGUSR1", ExitCode::kStopped},
                                  {SIGUSR2, "SIGUSR2", ExitCode::kStopped},
                                  {SIGINT, "SIGINT", ExitCode::kInterrupted}};

/// The wait status of a child that runs `action` and then leaves with 0.
template <class Action>
int status_of_child(Action action) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    action();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

}  // namespace

TEST_CASE("each stop signal asks for a stop with its exit code", "[run]") {
  for (const Case& expected : kCases) {
    CAPTURE(expected.name);
    const StopSignals signals;
    CHECK_FALSE(signals.stop_requested());
    CHECK(signals.reason().empty());
    ::raise(expected.signal);
    CHECK(signals.stop_requested());
    CHECK(signals.reason() == expected.name);
    CHECK(signals.exit_code() == expected.code);
  }
}

TEST_CASE("the first signal decides the exit code", "[run]") {
  const StopSignals signals;
  ::raise(SIGTERM);
  ::raise(SIGINT);
  CHECK(signals.exit_code() == ExitCode::kStopped);
  CHECK(signals.reason() == "SIGTERM");
}

TEST_CASE("a second interrupt within five seconds leaves at once with 130", "[run]") {
  const int status = status_of_child([] {
    const StopSignals signals;
    ::raise(SIGINT);
    if (!signals.stop_requested()) ::_exit(1);
    ::raise(SIGINT);
  });
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 130);
}

TEST_CASE("the handlers of before come back, and a later object starts afresh", "[run]") {
  struct sigaction before {
  }, after{};
  ::sigaction(SIGTERM, nullptr, &before);
  {
    const StopSignals signals;
    ::raise(SIGTERM);
    ::sigaction(SIGTERM, nullptr, &after);
    CHECK(after.sa_handler != before.sa_handler);
  }
  ::sigaction(SIGTERM, nullptr, &after);
  CHECK(after.sa_handler == before.sa_handler);
  const StopSignals fresh;
  CHECK_FALSE(fresh.stop_requested());
}

TEST_CASE("without a terminal a hang-up does not end the run", "[run]") {
  const int status = status_of_child([] {
    ::setsid();
    ::close(STDIN_FILENO);
    ::close(STDERR_FILENO);
    const StopSignals signals;
    ::raise(SIGHUP);
    if (signals.stop_requested()) ::_exit(1);
  });
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a time budget ends early enough to save within it", "[run]") {
  StopSignals signals(3600);
  CHECK_FALSE(signals.stop_requested());
  signals.set_stop_cost_s(3601);
  CHECK(signals.stop_requested());
  CHECK(signals.reason() == "the time budget of 1h00m");
  signals.set_heeds_budget(false);  // an evaluation longer than the budget has to come to its end
  CHECK_FALSE(signals.stop_requested());
  signals.set_heeds_budget(true);
  CHECK(signals.exit_code() == ExitCode::kStopped);
}

TEST_CASE("a spent budget stops at once", "[run]") {
  const StopSignals signals(0);
  CHECK(signals.stop_requested());
}

TEST_CASE("the end of a Slurm job is a budget with three stop costs to spare", "[run]") {
  ::setenv("SLURM_JOB_END_TIME", std::to_string(std::time(nullptr) + 1000).c_str(), 1);
  {
    StopSignals signals;
    signals.set_stop_cost_s(300);
    CHECK_FALSE(signals.stop_requested());
    signals.set_stop_cost_s(334);
    CHECK(signals.reason() == "the end of the batch job");
    CHECK(signals.exit_code() == ExitCode::kStopped);
  }
  for (const char* nonsense : {"soon", "", "-5", "12 "}) {
    ::setenv("SLURM_JOB_END_TIME", nonsense, 1);
    const StopSignals signals;
    CHECK_FALSE(signals.stop_requested());
  }
  ::unsetenv("SLURM_JOB_END_TIME");
}

TEST_CASE("two objects at a time are a mistake of ours", "[run]") {
  const StopSignals signals;
  CHECK_THROWS_AS(StopSignals(), std::logic_error);
}

}  // namespace sst::run
