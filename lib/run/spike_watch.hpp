#pragma once

#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <string>

namespace sst::run {

/// Is a step's loss, or its gradient norm, far above those of the steps before? It is a spike when either lies more than
/// `sigma` standard deviations above its mean over the last `window` accepted steps. A step that was left out does not
/// enter, so one spike does not hide the next. Nothing is a spike before half the window is filled, and nothing while
/// the window has no spread.
///   source    OLMo's SkipStepOptimizer (means and sample deviations, half a window); llm.c's outlier detector
class SpikeWatch {
 public:
  struct Options {
    double sigma = 6;
    int64_t window = 128;
  };
  /// Standard deviations above the mean; 0 while there is nothing to compare with.
  struct Scores {
    double loss = 0, gradient_norm = 0;
  };

  Scores scores(double loss, double gradient_norm, const Options& options) const;
  void accept(double loss, double gradient_norm, const Options& options);

  nlohmann::json to_json() const { return {{"loss", losses_}, {"gradient_norm", gradient_norms_}}; }
  void from_json(const nlohmann::json& json);

 private:
  std::deque<double> losses_, gradient_norms_;  ///< of accepted steps, oldest first
};

}  // namespace sst::run
