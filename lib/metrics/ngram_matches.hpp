#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace sst::metrics {

/// A word that no hypothesis of the sentence has.
inline constexpr uint32_t kUnknownWord = 0xFFFFFFFF;

/// Numbers for the words of one sentence, so that n-grams compare numbers and copy no text.
class WordNumbers {
 public:
  /// Forgets all words and numbers these, equal words alike, from 0. They have to outlive the look-ups.
  void number(std::span<const std::string_view> words, std::vector<uint32_t>& numbers);
  /// Numbers of those known, kUnknownWord for the others.
  void look_up(std::span<const std::string_view> words, std::vector<uint32_t>& numbers) const;

 private:
  struct Slot {
    std::string_view word;
    uint32_t number = kUnknownWord;
  };
  size_t slot_of(std::string_view word) const;

  std::vector<Slot> slots_;  ///< a power of two, at most half full
  size_t words_ = 0;
};

/// Counts which n-grams of a hypothesis its references have. An n-gram is a path in a tree whose edges are tokens, so
/// that equal n-grams are equal numbers, exactly and without copies, and a search in a reference ends with the first
/// token that the hypothesis does not go on with.
class NgramMatches {
 public:
  explicit NgramMatches(size_t max_order) : matches_(max_order) {}

  /// Begins a sentence. Tokens are any numbers but kUnknownWord.
  void set_hypothesis(std::span<const uint32_t> tokens);
  void add_reference(std::span<const uint32_t> tokens);
  void forget_references();

  /// For each order 1 … max_order: Σ over n-grams of min(count in the hypothesis, largest count in a reference).
  const std::vector<int32_t>& matches() const { return matches_; }

 private:
  struct Slot {
    uint64_t edge = 0;  ///< node it leaves, token
    uint32_t node = 0;
    uint32_t sentence = 0;  ///< whose slot this is; slots of earlier sentences count as empty
  };
  struct Counts {
    int32_t hypothesis = 0, references = 0, reference = 0;  ///< references: the largest; reference: the one being added
  };
  size_t slot_of(uint64_t edge) const;

  std::vector<int32_t> matches_;
  std::vector<Slot> slots_;  ///< a power of two, at most half full
  std::vector<Counts> counts_;
  uint32_t sentence_ = 0;
};

/// How many n-grams a text of so many tokens has.
inline int32_t ngrams_in(size_t tokens, size_t order) {
  return tokens < order ? 0 : static_cast<int32_t>(tokens - order + 1);
}

}  // namespace sst::metrics
