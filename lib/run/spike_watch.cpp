#include "run/spike_watch.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sst::run {
namespace {

double deviations_above(const std::deque<double>& past, double value, int64_t least) {
  const auto count = static_cast<double>(past.size());
  if (past.size() < static_cast<size_t>(least)) return 0;
  const double mean = std::accumulate(past.begin(), past.end(), 0.0) / count;
  double squares = 0;
  for (const double one : past) squares += (one - mean) * (one - mean);
  const double deviation = std::sqrt(squares / (count - 1));
  return deviation > 0 ? (value - mean) / deviation : 0;
}

void push(std::deque<double>& past, double value, int64_t window) {
  past.push_back(value);
  while (past.size() > static_cast<size_t>(window)) past.pop_front();
}

}  // namespace

SpikeWatch::Scores SpikeWatch::scores(double loss, double gradient_norm, const Options& options) const {
  const int64_t least = std::max<int64_t>(2, options.window / 2);
  return {.loss = deviations_above(losses_, loss, least),
          .gradient_norm = deviations_above(gradient_norms_, gradient_norm, least)};
}

void SpikeWatch::accept(double loss, double gradient_norm, const Options& options) {
  push(losses_, loss, options.window);
  push(gradient_norms_, gradient_norm, options.window);
}

void SpikeWatch::from_json(const nlohmann::json& json) {
  losses_ = json.at("loss").get<std::deque<double>>();
  gradient_norms_ = json.at("gradient_norm").get<std::deque<double>>();
}

}  // namespace sst::run
