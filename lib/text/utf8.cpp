#include "text/utf8.hpp"

#include <fmt/format.h>

#include <cstring>

#include "core/error.hpp"

namespace sst::text {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

/// Bytes from `at` on that are ASCII, eight at a time.
size_t ascii_run(std::string_view text, size_t at) {
  const size_t start = at;
  for (uint64_t eight = 0; text.size() - at >= sizeof(eight); at += sizeof(eight)) {
    std::memcpy(&eight, text.data() + at, sizeof(eight));
    if (eight & 0x8080808080808080u) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at - start;
}

}  // namespace

Utf8Step utf8_step(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xC2 || lead > 0xF4) return {kReplacement, 1, false};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t value = lead & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    // The second byte's range is narrower where the form would be overlong, a surrogate, or above U+10FFFF.
    const unsigned least = i > 1 ? 0x80 : lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned most = i > 1 ? 0xBF : lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (at + i == text.size() || byte(i) < least || byte(i) > most) return {kReplacement, i, false};
    value = value << 6 | (byte(i) & 0x3F);
  }
  return {value, length, true};
}

std::optional<size_t> first_malformed(std::string_view text) {
  for (size_t at = 0;;) {
    at += ascii_run(text, at);
    if (at == text.size()) return std::nullopt;
    const Utf8Step step = utf8_step(text, at);
    if (!step.valid) return at;
    at += step.bytes;
  }
}

void require_utf8(std::string_view text) {
  const auto at = first_malformed(text);
  if (!at) return;
  throw DataError(fmt::format("the text is not UTF-8: byte {} is 0x{:02x}", *at, static_cast<unsigned char>(text[*at])),
                  "convert it, for example with  iconv -f WINDOWS-1252 -t UTF-8");
}

std::string replace_malformed(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const size_t good = first_malformed(text).value_or(text.size());
    valid += text.substr(0, good);
    text.remove_prefix(good);
    if (text.empty()) break;
    append_utf8(kReplacement, valid);
    text.remove_prefix(utf8_step(text, 0).bytes);
  }
  return valid;
}

void append_utf8(char32_t code_point, std::string& text) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  const auto tail = [&](int shift) { put(0x80 | (code_point >> shift & 0x3F)); };
  if (code_point < 0x80) return put(code_point);
  if (code_point < 0x800) return put(0xC0 | code_point >> 6), tail(0);
  if (code_point < 0x10000) return put(0xE0 | code_point >> 12), tail(6), tail(0);
  put(0xF0 | code_point >> 18), tail(12), tail(6), tail(0);
}

std::string describe(char32_t code_point) {
  std::string shown;
  if (code_point >= 0x20 && code_point != 0x7F) append_utf8(code_point, shown);
  return fmt::format("{}U+{:04X}", shown.empty() ? "" : "'" + shown + "' ", static_cast<uint32_t>(code_point));
}

}  // namespace sst::text
