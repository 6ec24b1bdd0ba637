#include "text/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"

namespace sst::text {

int64_t count_words(std::string_view text) {
  int64_t count = 0;
  each_word(text, [&](std::string_view) { ++count; });
  return count;
}

void collect_words(std::string_view text, WordCounts& counts) {
  each_word(text, [&](std::string_view word) {
    if (const auto known = counts.find(word); known != counts.end())
      ++known->second;
    else
      counts.emplace(word, 1);
  });
}

void write_word_vocabulary(const WordCounts& counts, std::optional<int64_t> size, const std::filesystem::path& path) {
  std::string file = "</s>\n<unk>\n";
  std::vector<std::pair<std::string_view, int64_t>> words;
  for (const auto& [word, count] : counts)
    if (word != "</s>" && word != "<unk>") words.emplace_back(word, count);
  if (words.empty()) throw DataError("the training text has no word to put into a vocabulary");
  if (size && *size < 3)
    throw UserError(fmt::format("tokenizer.vocab_size is {}, which leaves no room for a word", *size),
                    "</s> and <unk> are two of its ids");
  std::stable_sort(words.begin(), words.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  if (size) words.resize(std::min(words.size(), static_cast<size_t>(*size - 2)));
  for (const auto& [word, count] : words) file.append(word) += '\n';
  write_file_atomically(path, file);
}

}  // namespace sst::text
