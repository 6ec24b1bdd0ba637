#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/registry.hpp"
#include "metrics/bleu_tokenizers.hpp"
#include "metrics/corpus_metric.hpp"
#include "metrics/ngram_matches.hpp"

namespace sst::metrics {

/// What a precision becomes when no n-gram of its order matches (Chen and Cherry, WMT 2014).
enum class Smoothing {
  kExp,    ///< 1/2, 1/4, … of one match, as mteval-v13a does
  kFloor,  ///< smooth_value matches, default 0.1
  kAddK,   ///< smooth_value, default 1, is added to matches and n-grams of every order above 1
  kNone,
};

/// "exp", "floor", "add-k", "none".
const Registry<Smoothing>& smoothings();

struct BleuOptions {
  BleuTokenizer tokenizer = BleuTokenizer::k13a;
  bool lowercase = false;
  Smoothing smoothing = Smoothing::kExp;
  std::optional<double> smooth_value = {};  ///< of floor and add-k
  bool effective_order = false;  ///< the mean ends with the last order that has n-grams; for single sentences
  size_t max_order = 4;
};

struct BleuScore {
  double score = 0;                ///< 0 … 100
  std::vector<double> precisions;  ///< per cent, of orders 1 … max_order
  std::vector<double> matches;     ///< with what add-k adds
  std::vector<double> totals;
  double brevity_penalty = 0;
  int64_t hypothesis_words = 0;
  int64_t reference_words = 0;  ///< of each sentence the closest length, the shorter of two

  double ratio() const {
    return reference_words > 0 ? static_cast<double>(hypothesis_words) / static_cast<double>(reference_words) : 0;
  }
};

/// BLEU (Papineni et al., ACL 2002) as sacreBLEU computes it. A row: words of the hypothesis, of the reference, matches
/// by order, n-grams by order.
class Bleu : public CorpusMetric {
 public:
  explicit Bleu(BleuOptions options = {});

  std::string name() const override { return "BLEU"; }
  std::string settings() const override;
  size_t width() const override { return 2 + 2 * options_.max_order; }
  void count(std::string_view hypothesis, std::span<const std::string_view> references,
             std::span<int32_t> row) override;
  double score(std::span<const int64_t> sums) const override { return evaluate(sums).score; }
  std::string details(std::span<const int64_t> sums) const override;

  BleuScore evaluate(std::span<const int64_t> sums) const;

 protected:
  const BleuOptions& options() const { return options_; }
  /// The words of a text; they point into `buffer`.
  virtual void cut(std::string_view text, std::string& buffer, std::vector<std::string_view>& words) const;

 private:
  BleuOptions options_;
  NgramMatches matches_;
  WordNumbers numbers_;
  std::string hypothesis_, reference_;
  std::vector<std::string_view> words_;
  std::vector<uint32_t> tokens_;
};

}  // namespace sst::metrics
