#include "metrics/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "metrics/numpy_generator.hpp"

namespace sst::metrics {
namespace {

void add_row(const Statistics& statistics, size_t sentence, std::vector<int64_t>& sums) {
  const int32_t* row = statistics.rows.data() + sentence * statistics.width;
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += row[i];
}

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

std::vector<std::vector<double>> resampled_scores(std::span<const CountedSystem> systems,
                                                  const Resampling& resampling) {
  std::vector<std::vector<double>> scores(systems.size());
  const size_t sentences = systems.empty() ? 0 : systems[0].statistics->sentences();
  for (const CountedSystem& system : systems)
    require(system.statistics->sentences() == sentences, "resampled systems have different numbers of sentences");
  if (sentences == 0) return scores;
  NumpyGenerator generator(resampling.seed);
  std::vector<uint32_t> sample(sentences);
  for (int64_t drawn = 0; drawn < resampling.samples; ++drawn) {
    for (uint32_t& sentence : sample) sentence = generator.below(static_cast<uint32_t>(sentences));
    for (size_t k = 0; k < systems.size(); ++k) {
      std::vector<int64_t> sums(systems[k].statistics->width);
      for (const uint32_t sentence : sample) add_row(*systems[k].statistics, sentence, sums);
      scores[k].push_back(systems[k].metric->score(sums));
    }
  }
  return scores;
}

Confidence confidence(std::vector<double> scores) {
  if (scores.empty()) return {};
  std::sort(scores.begin(), scores.end());
  const size_t lower = scores.size() / 40, upper = scores.size() - lower - 1;
  return {.mean = mean_of(scores), .half_width = (scores[upper] - scores[lower]) / 2};
}

double paired_p_value(std::span<const double> scores, std::span<const double> baseline, double difference) {
  require(scores.size() == baseline.size(), "paired scores differ in number");
  std::vector<double> differences(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) differences[i] = std::abs(scores[i] - baseline[i]);
  const double mean = differences.empty() ? 0 : mean_of(differences);
  const auto farther =
      std::count_if(differences.begin(), differences.end(), [&](double value) { return value - mean > difference; });
  return static_cast<double>(farther + 1) / static_cast<double>(differences.size() + 1);
}

}  // namespace sst::metrics
