#pragma once

#include <chrono>
#include <string>

namespace sst {

/// Wall time since construction or the last restart.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  void restart() { start_ = std::chrono::steady_clock::now(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// "2026-11-22T12:44:10.231Z"; without milliseconds "2026-11-22T12:44:10Z".
std::string utc_now(bool milliseconds = false);

/// "18.4 s", "3m05s", "1h12m", "2d04h": three significant places at most, for people.
std::string human_duration(double seconds);

}  // namespace sst
