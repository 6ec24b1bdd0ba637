#include "core/fault.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/error.hpp"
#include "tests/support/catch.hpp"

namespace sst {
namespace {

struct Disarmed {
  ~Disarmed() { arm_fault(""); }
};

/// The signal that ends a process which passes `point` so many times; 0: none.
int signal_after(const char* spec, const char* point, int passes) {
  const pid_t child = ::fork();
  if (child == 0) {
    arm_fault(spec);
    for (int i = 0; i < passes; ++i) fault_point(point);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace

TEST_CASE("a fault without a mode kills, at the pass that was asked for", "[core]") {
  CHECK(signal_after("train.step.rank0:3", "train.step.rank0", 3) == SIGKILL);
  CHECK(signal_after("train.step.rank0:3", "train.step.rank0", 2) == 0);
  CHECK(signal_after("train.*:1:kill", "train.step.rank1", 1) == SIGKILL);
  CHECK(signal_after("train.step.rank0:1", "train.step.rank1", 1) == 0);
}

TEST_CASE("a caller is told once that it must do wrong", "[core]") {
  const Disarmed after;
  for (const char* mode : {"nan", "drift"}) {
    arm_fault(std::string("here:2:") + mode);
    CHECK_FALSE(fault_point("here"));
    CHECK(fault_point("here"));
    CHECK_FALSE(fault_point("here"));
  }
}

TEST_CASE("a fault that is not one is refused with the modes there are", "[core]") {
  const Disarmed after;
  for (const char* spec : {"here", "here:0", "here:x", ":1:kill", "here:1:explode", "here:1:", "here:1:kill:now"}) {
    CAPTURE(spec);
    CHECK_THROWS_AS(arm_fault(spec), UserError);
  }
  CHECK_THROWS_WITH(arm_fault("here:1:explode"), ContainsSubstring("SST_FAULT is 'here:1:explode'"));
}

}  // namespace sst
