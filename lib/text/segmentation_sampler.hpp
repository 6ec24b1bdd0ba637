#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/seeds.hpp"

namespace sst::text {

/// Draws one of the ways to cut a text into pieces of a vocabulary (subword regularisation). SentencePiece's own draws
/// come from a generator per thread; these are a pure function of `rng`.
class SegmentationSampler {
 public:
  enum class Rule {
    kUnigram,  ///< in proportion to (product of the pieces' probabilities)^alpha (Kudo 2018)
    kBpe,      ///< the usual merges, each left out with probability alpha (Provilkov et al. 2020)
  };
  struct Piece {
    int32_t id = 0;
    float score = 0;  ///< log probability, or minus the rank
  };

  void set_rule(Rule rule) { rule_ = rule; }
  void add(const std::string& text, Piece piece);
  const Piece* find(std::string_view text) const;

  /// Consecutive parts of valid UTF-8; a character without a piece is a part of its own.
  std::vector<std::string_view> draw(std::string_view text, double alpha, CounterRng& rng) const;

 private:
  std::vector<std::string_view> draw_unigram(std::string_view text, double alpha, CounterRng& rng) const;
  std::vector<std::string_view> draw_bpe(std::string_view text, double alpha, CounterRng& rng) const;

  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, Piece, Hash, std::equal_to<>> pieces_;
  size_t longest_ = 0;  ///< bytes of a piece
  float least_score_ = 0;
  Rule rule_ = Rule::kUnigram;
};

}  // namespace sst::text
