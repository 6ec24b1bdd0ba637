#pragma once

#include <string>
#include <vector>

#include "metrics/corpus_metric.hpp"
#include "metrics/ngram_matches.hpp"

namespace sst::metrics {

struct ChrfOptions {
  size_t char_order = 6;
  size_t word_order = 0;  ///< 2: chrF++
  int beta = 2;           ///< recall counts β times as much as precision
  bool lowercase = false;
  bool whitespace = false;     ///< white space is part of the character n-grams
  bool eps_smoothing = false;  ///< of chrF++.py, Moses and NLTK; else the mean is over orders that both sides have
};

/// chrF (Popović, WMT 2015) and chrF++ (WMT 2017) as sacreBLEU computes them. A row: for each order, characters first,
/// n-grams of the hypothesis, of the reference, matches; the reference is the one with the best score of the sentence.
class Chrf final : public CorpusMetric {
 public:
  explicit Chrf(ChrfOptions options = {});

  std::string name() const override;
  std::string settings() const override;
  size_t width() const override { return 3 * (options_.char_order + options_.word_order); }
  void count(std::string_view hypothesis, std::span<const std::string_view> references,
             std::span<int32_t> row) override;
  double score(std::span<const int64_t> sums) const override;

 private:
  struct Side {
    std::string text;
    std::vector<uint32_t> characters;
    std::vector<std::string_view> words;
  };
  void prepare(std::string_view text, Side& side) const;
  void count_reference(std::vector<int64_t>& row);

  ChrfOptions options_;
  NgramMatches characters_, words_;
  WordNumbers numbers_;
  Side hypothesis_, reference_;
  std::vector<uint32_t> tokens_;
};

}  // namespace sst::metrics
