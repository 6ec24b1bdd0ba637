#include "metrics/ranking.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

#include "core/error.hpp"

namespace sst::metrics {
namespace {

/// One walk down the distinct thresholds of both lists, as in a merge of two sorted lists.
template <class Score>
RankingScores scores_of(std::span<const Score> positive_scores, std::span<const Score> negative_scores) {
  require(!positive_scores.empty() && !negative_scores.empty(),
          "ranking_scores: needs at least one positive and one negative score");
  std::vector<Score> positive(positive_scores.begin(), positive_scores.end());
  std::vector<Score> negative(negative_scores.begin(), negative_scores.end());
  const auto is_nan = [](Score score) { return std::isnan(score); };
  require(
      std::none_of(positive.begin(), positive.end(), is_nan) && std::none_of(negative.begin(), negative.end(), is_nan),
      "ranking_scores: a score is not a number");
  std::sort(positive.begin(), positive.end(), std::greater<>());
  std::sort(negative.begin(), negative.end(), std::greater<>());

  const auto total_positive = static_cast<double>(positive.size());
  const auto total_negative = static_cast<double>(negative.size());
  size_t p = 0, n = 0;  // positives and negatives at or above the threshold
  double wins = 0;      // pairs (positive, negative) in the right order, ties ½
  double precision_sum = 0;
  while (p < positive.size()) {
    const Score threshold = n < negative.size() ? std::max(positive[p], negative[n]) : positive[p];
    const size_t p_before = p, n_before = n;
    while (p < positive.size() && positive[p] == threshold) ++p;
    while (n < negative.size() && negative[n] == threshold) ++n;
    const auto new_positive = static_cast<double>(p - p_before), new_negative = static_cast<double>(n - n_before);
    wins += new_positive * (total_negative - static_cast<double>(n) + 0.5 * new_negative);
    precision_sum += new_positive * static_cast<double>(p) / static_cast<double>(p + n);
  }
  return {.roc_auc = wins / (total_positive * total_negative), .average_precision = precision_sum / total_positive};
}

}  // namespace

RankingScores ranking_scores(std::span<const float> positive, std::span<const float> negative) {
  return scores_of(positive, negative);
}

RankingScores ranking_scores(std::span<const double> positive, std::span<const double> negative) {
  return scores_of(positive, negative);
}

}  // namespace sst::metrics
