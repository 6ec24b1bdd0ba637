#pragma once

#include <string>
#include <string_view>

#include "text/unicode_classes.hpp"
#include "text/utf8.hpp"

/// What Python knows of characters, as far as the tools of machine translation ask for it. Unicode 16.0.
namespace sst::text {

/// Where str.split() cuts and str.strip() strips: White_Space and the four separators U+001C … U+001F.
inline bool is_space(char32_t code_point) {
  return class_of(code_point) == CharClass::kSpace || (code_point >= 0x1C && code_point <= 0x1F);
}
inline bool is_number(char32_t code_point) { return class_of(code_point) == CharClass::kNumber; }  ///< \p{N}
bool is_punctuation(char32_t code_point);                                                          ///< \p{P}
bool is_symbol(char32_t code_point);                                                               ///< \p{S}

/// str.lower() of valid UTF-8: the full mapping (U+0130 becomes two code points), and a capital sigma that ends a word
/// becomes U+03C2.
std::string to_lower(std::string_view text);

/// Valid UTF-8 without the white space at its end; str.rstrip().
std::string_view without_trailing_space(std::string_view text);

/// The words of valid UTF-8, as str.split() gives them.
template <class Use>
void each_word(std::string_view text, const Use& use) {
  const char* const end = text.data() + text.size();
  const char* start = text.data();
  for (const char* at = start; at != end;) {
    const char* const before = at;
    if (!is_space(next_code_point(at))) continue;
    if (before != start) use(std::string_view(start, static_cast<size_t>(before - start)));
    start = at;
  }
  if (start != end) use(std::string_view(start, static_cast<size_t>(end - start)));
}

/// How many there are: what perplexity per word divides by.
inline int64_t count_words(std::string_view text) {
  int64_t count = 0;
  each_word(text, [&](std::string_view) { ++count; });
  return count;
}

}  // namespace sst::text
