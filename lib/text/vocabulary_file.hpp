#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace sst::text {

/// Throws DataError "path: reason" or "path:line: reason".
[[noreturn]] void fail_in(const std::filesystem::path& path, const std::string& reason);
[[noreturn]] void fail_at(const std::filesystem::path& path, int64_t line, const std::string& reason);

/// JSON, or DataError with path, line and column.
nlohmann::json parse_json(const std::filesystem::path& path, const std::string& text);

/// Calls use(line number from 1, line) for each line; "\r\n" ends one too.
void each_line(std::string_view text, const std::function<void(int64_t, std::string_view)>& use);

}  // namespace sst::text
