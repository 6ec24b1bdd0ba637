#include "optim/plateau.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace sst::optim {

Plateau::Plateau(const ScheduleOptions& options)
    : active_(options.name == "plateau"),
      reduction_(options.factor),
      least_(options.min_lr_ratio),
      patience_(options.patience) {}

void Plateau::observe(bool improved) {
  if (!active_) return;
  bad_evaluations_ = improved ? 0 : bad_evaluations_ + 1;
  if (bad_evaluations_ <= patience_) return;
  factor_ = std::max(least_, factor_ * reduction_);
  bad_evaluations_ = 0;
}

nlohmann::json Plateau::state() const { return {{"factor", factor_}, {"bad_evaluations", bad_evaluations_}}; }

void Plateau::load_state(const nlohmann::json& state) {
  try {
    const auto factor = state.at("factor").get<double>();
    const auto bad_evaluations = state.at("bad_evaluations").get<int64_t>();
    if (!(factor >= 0 && factor <= 1) || bad_evaluations < 0)
      throw CheckpointError("state of the plateau schedule is out of range: " + state.dump());
    factor_ = factor;
    bad_evaluations_ = bad_evaluations;
  } catch (const nlohmann::json::exception& error) {
    throw CheckpointError(std::string("state of the plateau schedule cannot be read: ") + error.what());
  }
}

}  // namespace sst::optim
