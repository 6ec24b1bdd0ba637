#pragma once

#include <optional>
#include <string>

namespace sst::report {

/// What gnuplot prints for these commands, its user's settings ignored. Nothing when it is not on PATH, exits
/// with an error, or needs more than `timeout_s` (then it is killed); a debug line says which. No shell is
/// involved.
std::optional<std::string> run_gnuplot(const std::string& commands, double timeout_s = 20);

}  // namespace sst::report
