#include "text/word_vocabulary.hpp"

#include <algorithm>

#include "core/file.hpp"
#include "core/text.hpp"
#include "text/unicode_properties.hpp"

namespace sst::text {

void WordCounts::add(std::string_view text) {
  each_word(text, [&](std::string_view word) { ++counts_[std::string(word)]; });
}

const std::vector<std::string>& document_specials() {
  static const std::vector<std::string> words = {"</s>", "<unk>"};
  return words;
}

const std::vector<std::string>& source_specials() {
  static const std::vector<std::string> words = {"<unk>", "<blank>"};
  return words;
}

const std::vector<std::string>& target_specials() {
  static const std::vector<std::string> words = {"<unk>", "<blank>", "<s>", "</s>"};
  return words;
}

std::vector<std::string> vocabulary_words(const WordCounts& counts, const std::vector<std::string>& specials,
                                          const VocabularyLimits& limits) {
  std::vector<std::pair<std::string, int64_t>> found;
  for (const auto& [word, count] : counts.counts())
    if (count >= limits.min_frequency && std::find(specials.begin(), specials.end(), word) == specials.end())
      found.emplace_back(word, count);
  // The order of UTF-8's bytes is that of the code points.
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (static_cast<int64_t>(found.size()) > limits.max_size) found.resize(static_cast<size_t>(limits.max_size));
  std::vector<std::string> words = specials;
  for (auto& [word, count] : found) words.push_back(std::move(word));
  return words;
}

void write_vocabulary(const std::filesystem::path& path, const std::vector<std::string>& words) {
  write_file_atomically(path, join(words, "\n") + "\n");
}

std::string without_joiners(std::string_view text) {
  constexpr std::string_view kJoiner = "@@", kJoinerAndSpace = "@@ ";
  std::string joined;
  for (size_t at; (at = text.find(kJoinerAndSpace)) != std::string_view::npos;
       text.remove_prefix(at + kJoinerAndSpace.size()))
    joined += text.substr(0, at);
  if (ends_with(text, kJoiner)) text.remove_suffix(kJoiner.size());
  return joined += text;
}

}  // namespace sst::text
