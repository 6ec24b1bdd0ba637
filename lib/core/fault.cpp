#include "core/fault.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <string>

#include "core/error.hpp"
#include "core/number.hpp"
#include "core/text.hpp"

namespace sst {
namespace {

enum class Mode { kKill, kStop, kShortWrite, kNoSpace };

struct Armed {
  std::string pattern;
  int remaining = 0;  ///< passes until it triggers; 0 = inert
  Mode mode = Mode::kKill;
};

Armed parse(std::string_view spec) {
  if (spec.empty()) return {};
  const auto parts = split(spec, ':');
  const auto refuse = [&] {
    throw UserError("SST_FAULT is '" + std::string(spec) + "', which is not point:count:mode",
                    "count is 1 or more, mode is kill, stop, short_write or no_space");
  };
  Armed armed;
  if (parts.size() != 3 || parts[0].empty()) refuse();
  armed.pattern = parts[0];
  armed.remaining = number_from<int>(parts[1]).value_or(0);
  if (armed.remaining < 1) refuse();
  if (parts[2] == "short_write") {
    armed.mode = Mode::kShortWrite;
  } else if (parts[2] == "no_space") {
    armed.mode = Mode::kNoSpace;
  } else if (parts[2] == "stop") {
    armed.mode = Mode::kStop;
  } else if (parts[2] != "kill") {
    refuse();
  }
  return armed;
}

struct State {
  std::mutex mutex;  // a save may run on its own thread
  Armed armed;
  std::atomic<bool> active{false};
  std::atomic<WriteFault> write_fault{WriteFault::kNone};

  State() {
    const char* spec = std::getenv("SST_FAULT");
    set(parse(spec ? spec : ""));
  }
  void set(Armed next) {
    const std::lock_guard lock(mutex);
    armed = std::move(next);
    active = armed.remaining > 0;
    write_fault = WriteFault::kNone;
  }
};

State& state() {
  static State state;
  return state;
}

}  // namespace

void fault_point(std::string_view name) {
  State& now = state();
  if (!now.active) return;
  const std::lock_guard lock(now.mutex);
  if (now.armed.remaining == 0 || !glob_match(now.armed.pattern, name) || --now.armed.remaining > 0) return;
  now.active = false;
  switch (now.armed.mode) {
    case Mode::kKill:
      ::kill(::getpid(), SIGKILL);
      break;
    case Mode::kStop:
      ::kill(::getpid(), SIGTERM);
      break;
    case Mode::kShortWrite:
      now.write_fault = WriteFault::kShort;
      break;
    case Mode::kNoSpace:
      now.write_fault = WriteFault::kNoSpace;
      break;
  }
}

WriteFault take_write_fault() { return state().write_fault.exchange(WriteFault::kNone); }

void arm_fault(std::string_view spec) { state().set(parse(spec)); }

}  // namespace sst
