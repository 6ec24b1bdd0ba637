#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sst::text {

/// How often each word of a text stands there.
class WordCounts {
 public:
  /// Counts the words of valid UTF-8.
  void add(std::string_view text);
  void add(const std::string& word, int64_t count) { counts_[word] += count; }
  const std::unordered_map<std::string, int64_t>& counts() const { return counts_; }

 private:
  std::unordered_map<std::string, int64_t> counts_;
};

struct VocabularyLimits {
  int64_t max_size = std::numeric_limits<int64_t>::max();  ///< specials do not count
  int64_t min_frequency = 1;
};

/// Special words of a language model's vocabulary: </s> between documents, <unk>.
const std::vector<std::string>& document_specials();

/// OpenNMT-py's special words; a source sentence has no begin and no end.
const std::vector<std::string>& source_specials();  ///< <unk>, <blank> (padding)
const std::vector<std::string>& target_specials();  ///< <unk>, <blank>, <s>, </s>

/// Words in the order of their ids, as torchtext orders them: the specials, then by falling frequency, equal ones in
/// code-point order. A special word that stands in the text is not there twice.
std::vector<std::string> vocabulary_words(const WordCounts& counts, const std::vector<std::string>& specials,
                                          const VocabularyLimits& limits = {});

/// One word a line: what the tokenizer `whitespace` reads. Throws ResourceError with path and reason.
void write_vocabulary(const std::filesystem::path& path, const std::vector<std::string>& words);

/// Takes subword-nmt's joiners out: every "@@ ", and "@@" at the end.
std::string without_joiners(std::string_view text);

}  // namespace sst::text
