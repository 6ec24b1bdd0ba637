#pragma once

#include <span>

namespace sst::metrics {

struct RankingScores {
  double roc_auc = 0;            ///< Mann-Whitney, ties count ½
  double average_precision = 0;  ///< Σ (R_n − R_{n−1}) P_n over distinct thresholds, descending
};

/// Scores of the positive and of the negative pairs, in any order. One sort. Throws std::logic_error when
/// either is empty.
RankingScores ranking_scores(std::span<const float> positive, std::span<const float> negative);
RankingScores ranking_scores(std::span<const double> positive, std::span<const double> negative);

}  // namespace sst::metrics
