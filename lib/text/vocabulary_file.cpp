#include "text/vocabulary_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

namespace sst::text {

void fail_in(const std::filesystem::path& path, const std::string& reason) {
  throw DataError(fmt::format("{}: {}", path.string(), reason));
}

void fail_at(const std::filesystem::path& path, int64_t line, const std::string& reason) {
  throw DataError(fmt::format("{}:{}: {}", path.string(), line, reason));
}

nlohmann::json parse_json(const std::filesystem::path& path, const std::string& text) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    const std::string_view read = std::string_view(text).substr(0, error.byte > 0 ? error.byte - 1 : 0);
    const auto line = std::count(read.begin(), read.end(), '\n') + 1;
    const size_t column = read.size() - (read.rfind('\n') + 1) + 1;  // npos + 1 = 0
    std::string reason = error.what();
    if (const size_t mark = reason.rfind(": "); mark != std::string::npos) reason.erase(0, mark + 2);
    throw DataError(fmt::format("{}:{}:{}: this is not JSON: {}", path.string(), line, column, reason));
  } catch (const nlohmann::json::out_of_range&) {  // it does not say where
    fail_in(path, "this is not JSON that can be read: it has a number that is too large");
  }
}

void each_line(std::string_view text, const std::function<void(int64_t, std::string_view)>& use) {
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    use(number, line);
  }
}

}  // namespace sst::text
