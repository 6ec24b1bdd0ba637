#include "data/integer_file.hpp"

#include <fmt/core.h>

#include <charconv>

#include "core/error.hpp"
#include "core/file.hpp"

namespace sst::data {

std::string prepare_again_hint() {
  return "write the folder again with  python3 data_tools/prepare_graphs.py --input ORIGINALS";
}

void fail_at_line(const std::filesystem::path& path, int64_t line, const std::string& reason) {
  throw DataError(fmt::format("{}:{}: {}", path.string(), line, reason), prepare_again_hint());
}

std::vector<int64_t> read_integers(const std::filesystem::path& path, int per_line) {
  const std::string text = read_file(path);
  std::vector<int64_t> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int64_t line = 1; at != end; ++line) {
    for (int column = 0; column < per_line; ++column) {
      int64_t number = -1;
      const auto [stop, error] = std::from_chars(at, end, number);
      const char separator = column + 1 < per_line ? ' ' : '\n';
      const bool ended = separator == '\n' && stop == end;
      if (error != std::errc() || number < 0 || (!ended && (stop == end || *stop != separator)))
        fail_at_line(path, line,
                     fmt::format("expected {} non-negative integer{}", per_line,
                                 per_line == 1 ? "" : "s with one space between"));
      numbers.push_back(number);
      at = ended ? end : stop + 1;
    }
  }
  return numbers;
}

}  // namespace sst::data
