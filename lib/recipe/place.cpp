#include "recipe/place.hpp"

#include <string_view>
#include <utility>

namespace sst::recipe {
namespace {

/// Length of the well-formed UTF-8 sequence at `at`, 0 when there is none (RFC 3629: no overlong forms, no
/// surrogates).
size_t sequence_length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(at);
  const unsigned second = byte(at + 1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(at + 1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && second < 0xA0;
    const bool surrogate = first == 0xED && second > 0x9F;
    return continues(at + 1) && continues(at + 2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && second < 0x90;
    const bool too_large = first == 0xF4 && second > 0x8F;
    return continues(at + 1) && continues(at + 2) && continues(at + 3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

}  // namespace

Place Place::in(std::shared_ptr<const Source> source, int line, int column, int length) {
  Place place;
  place.kind = Kind::kFile;
  place.source = std::move(source);
  place.line = line;
  place.column = column;
  place.length = length;
  return place;
}

Place Place::command_line(std::string argument) {
  Place place;
  place.kind = Kind::kCommandLine;
  place.argument = std::move(argument);
  return place;
}

std::string Place::line_text() const {
  if (kind == Kind::kCommandLine) return "command line";
  if (!source) return kind == Kind::kSweep ? "sweep" : "default";
  return line > 0 ? source->name + ":" + std::to_string(line) : source->name;
}

std::string Place::text() const {
  return source && line > 0 ? line_text() + ":" + std::to_string(column) : line_text();
}

std::string line_of(const Source& source, int line) {
  size_t start = 0;
  for (int i = 1; i < line; ++i) {
    start = source.text.find('\n', start);
    if (start == std::string::npos) return {};
    ++start;
  }
  std::string text = source.text.substr(start, source.text.find('\n', start) - start);
  if (!text.empty() && text.back() == '\r') text.pop_back();
  return text;
}

int character_count(std::string_view text) {
  int count = 0;
  for (const char byte : text)
    if ((static_cast<unsigned char>(byte) & 0xC0U) != 0x80U) ++count;
  return count;
}

size_t find_bad_byte(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') return i;
    const size_t length = sequence_length(text, i);
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

}  // namespace sst::recipe
