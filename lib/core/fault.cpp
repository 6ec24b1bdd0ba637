#include "core/fault.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <thread>

#include "core/error.hpp"
#include "core/number.hpp"
#include "core/text.hpp"

namespace sst {
namespace {

enum class Mode { kKill, kStop, kSlow, kNoMemory, kNan, kDrift, kShortWrite, kNoSpace, kReadOnly };

const std::map<std::string, Mode, std::less<>> kModes = {{"kill", Mode::kKill},
                                                         {"stop", Mode::kStop},
                                                         {"slow", Mode::kSlow},
                                                         {"no_memory", Mode::kNoMemory},
                                                         {"nan", Mode::kNan},
                                                         {"drift", Mode::kDrift},
                                                         {"short_write", Mode::kShortWrite},
                                                         {"no_space", Mode::kNoSpace},
                                                         {"read_only", Mode::kReadOnly}};

constexpr std::chrono::seconds kSlowness(30);

struct Armed {
  std::string pattern;
  int remaining = 0;  ///< passes until it triggers; 0 = inert
  Mode mode = Mode::kKill;
};

Armed parse(std::string_view spec) {
  if (spec.empty()) return {};
  const auto parts = split(spec, ':');
  const auto refuse = [&] {
    throw UserError("SST_FAULT is '" + std::string(spec) + "', which is not point:count or point:count:mode",
                    "count is 1 or more, mode is kill (which need not be said), stop, slow, no_memory, nan, drift, "
                    "short_write, no_space or read_only");
  };
  if (parts.size() < 2 || parts.size() > 3 || parts[0].empty()) refuse();
  const auto mode = kModes.find(parts.size() == 3 ? parts[2] : "kill");
  Armed armed{.pattern = parts[0], .remaining = number_from<int>(parts[1]).value_or(0)};
  if (armed.remaining < 1 || mode == kModes.end()) refuse();
  armed.mode = mode->second;
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

bool fault_point(std::string_view name) {
  State& now = state();
  if (!now.active) return false;
  const std::lock_guard lock(now.mutex);
  if (now.armed.remaining == 0 || !glob_match(now.armed.pattern, name) || --now.armed.remaining > 0) return false;
  now.active = false;
  switch (now.armed.mode) {
    case Mode::kKill:
      ::kill(::getpid(), SIGKILL);
      break;
    case Mode::kStop:
      ::kill(::getpid(), SIGTERM);
      break;
    case Mode::kSlow:
      std::this_thread::sleep_for(kSlowness);
      break;
    case Mode::kNoMemory:
      throw std::bad_alloc();
    case Mode::kNan:
    case Mode::kDrift:
      return true;
    case Mode::kShortWrite:
      now.write_fault = WriteFault::kShort;
      break;
    case Mode::kNoSpace:
      now.write_fault = WriteFault::kNoSpace;
      break;
    case Mode::kReadOnly:
      now.write_fault = WriteFault::kReadOnly;
      break;
  }
  return false;
}

WriteFault take_write_fault() { return state().write_fault.exchange(WriteFault::kNone); }

void arm_fault(std::string_view spec) { state().set(parse(spec)); }

}  // namespace sst
