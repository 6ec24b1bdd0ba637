#include "core/clock.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>

namespace sst {

std::string utc_now(bool milliseconds) {
  const auto now = std::chrono::system_clock::now();
  const auto whole = std::chrono::floor<std::chrono::seconds>(now);
  const std::string date =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::gmtime(std::chrono::system_clock::to_time_t(whole)));
  if (!milliseconds) return date + "Z";
  return fmt::format("{}.{:03d}Z", date, std::chrono::duration_cast<std::chrono::milliseconds>(now - whole).count());
}

std::string human_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto total = static_cast<int64_t>(std::llround(seconds));
  if (total < 3600) return fmt::format("{}m{:02d}s", total / 60, total % 60);
  if (total < 86400) return fmt::format("{}h{:02d}m", total / 3600, total % 3600 / 60);
  return fmt::format("{}d{:02d}h", total / 86400, total % 86400 / 3600);
}

}  // namespace sst
