#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sst::text {

/// One step through UTF-8.
struct Utf8Step {
  char32_t code_point = 0;  ///< U+FFFD where the bytes are malformed
  size_t bytes = 1;         ///< of a malformed place: its maximal subpart (Unicode, table 3-7), at least 1
  bool valid = true;
};

/// What stands at text[at], for at < text.size().
Utf8Step utf8_step(std::string_view text, size_t at);

/// The same for text known to be valid, which is faster; moves `at` on.
inline char32_t next_code_point(const char*& at) {
  const auto byte = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(at[i])); };
  const char32_t lead = byte(0);
  if (lead < 0x80) return at += 1, lead;
  if (lead < 0xE0) return at += 2, (lead & 0x1F) << 6 | (at[-1] & 0x3F);
  if (lead < 0xF0) return at += 3, (lead & 0x0F) << 12 | (at[-2] & 0x3F) << 6 | (at[-1] & 0x3F);
  return at += 4, (lead & 0x07) << 18 | (at[-3] & 0x3F) << 12 | (at[-2] & 0x3F) << 6 | (at[-1] & 0x3F);
}

/// Where the first malformed byte stands; nothing for valid UTF-8.
std::optional<size_t> first_malformed(std::string_view text);

/// Throws DataError that names the offset of the first malformed byte.
void require_utf8(std::string_view text);

/// Each maximal malformed subpart becomes U+FFFD, as Python's errors="replace" does.
std::string replace_malformed(std::string_view text);

void append_utf8(char32_t code_point, std::string& text);

/// "'é' (U+00E9)", for messages.
std::string describe(char32_t code_point);

}  // namespace sst::text
