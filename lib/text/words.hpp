#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "text/unicode_classes.hpp"
#include "text/utf8.hpp"

namespace sst::text {

/// Calls use(word) for each word of a valid UTF-8 text: what stands between characters of Unicode's White_Space.
template <class Use>
void each_word(std::string_view text, const Use& use) {
  const char* const end = text.data() + text.size();
  const char* start = text.data();
  for (const char* at = start; at != end;) {
    const char* const before = at;
    if (class_of(next_code_point(at)) != CharClass::kSpace) continue;
    if (before != start) use(std::string_view(start, static_cast<size_t>(before - start)));
    start = at;
  }
  if (start != end) use(std::string_view(start, static_cast<size_t>(end - start)));
}

/// Words of a valid UTF-8 text: what perplexity per word divides by.
int64_t count_words(std::string_view text);

using WordCounts = std::map<std::string, int64_t, std::less<>>;

/// Adds the words of a valid UTF-8 text to `counts`.
void collect_words(std::string_view text, WordCounts& counts);

/// Writes the vocabulary file of a Whitespace tokenizer: `</s>`, `<unk>`, then the words, the most frequent first and
/// equal ones by their bytes, `size` ids in all where it is given.
///   throws    UserError when `size` leaves no room for a word; DataError when there is none
void write_word_vocabulary(const WordCounts& counts, std::optional<int64_t> size, const std::filesystem::path& path);

}  // namespace sst::text
