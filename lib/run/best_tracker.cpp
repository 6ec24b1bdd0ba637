#include "run/best_tracker.hpp"

#include <cmath>

namespace sst::run {

bool BestTracker::observe(int64_t step, double value) {
  const double sign = options_.higher_is_better ? 1 : -1;
  const bool better = std::isfinite(value) && (!best_ || sign * value > sign * *best_ + options_.min_delta);
  if (better) {
    best_ = value;
    best_step_ = step;
    since_best_ = 0;
  } else {
    ++since_best_;
  }
  return better;
}

nlohmann::json BestTracker::to_json() const {
  nlohmann::json json = {{"metric", options_.metric}, {"step", best_step_}, {"evaluations_since", since_best_}};
  if (best_) json["value"] = *best_;
  return json;
}

void BestTracker::from_json(const nlohmann::json& json) {
  best_ = json.contains("value") ? std::optional<double>(json.at("value").get<double>()) : std::nullopt;
  best_step_ = json.at("step").get<int64_t>();
  since_best_ = json.at("evaluations_since").get<int64_t>();
}

}  // namespace sst::run
