#pragma once

#include <span>
#include <vector>

#include "metrics/corpus_metric.hpp"

namespace sst::metrics {

/// A metric and the rows it counted for one system.
struct CountedSystem {
  const CorpusMetric* metric = nullptr;
  const Statistics* statistics = nullptr;
};

/// For each system its scores over samples of the sentences, drawn with replacement (Koehn, EMNLP 2004). All systems
/// have the same sentences and see the same samples, which are sacreBLEU's: NumPy's default_rng(seed).choice.
///   returns   [systems][samples]
///   throws    std::logic_error when the systems have different numbers of sentences
std::vector<std::vector<double>> resampled_scores(std::span<const CountedSystem> systems, const Resampling& resampling);

struct Confidence {
  double mean = 0;
  double half_width = 0;  ///< half of the interval that holds 95 % of the scores
};
Confidence confidence(std::vector<double> scores);

/// How likely a difference of this size is by chance, two-sided: the share of samples whose difference is farther above
/// the mean difference than `difference` = |score − baseline's score|, counted as (c + 1)/(n + 1).
double paired_p_value(std::span<const double> scores, std::span<const double> baseline, double difference);

}  // namespace sst::metrics
