#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sst::data {

/// Reads a text file of `per_line` non-negative integers a line, separated by one space, without blank lines.
///   returns   all of them in order; line n holds entries per_line·(n − 1) …
///   throws    DataError with file:line
std::vector<int64_t> read_integers(const std::filesystem::path& path, int per_line);

/// Throws DataError "path:line: reason".
[[noreturn]] void fail_at_line(const std::filesystem::path& path, int64_t line, const std::string& reason);

/// What to do about a file that data_tools/prepare_graphs.py wrote and that is not as it wrote it.
std::string prepare_again_hint();

}  // namespace sst::data
