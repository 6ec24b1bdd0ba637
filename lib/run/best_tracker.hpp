#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace sst::run {

/// Which evaluation was best, and how many have passed since: model selection and early stopping in one place.
class BestTracker {
 public:
  struct Options {
    std::string metric;  ///< "valid/f1"
    bool higher_is_better = true;
    double min_delta = 0;  ///< how much better counts as better
    int64_t patience = 0;  ///< evaluations without a better one after which training ends; 0: never
  };

  explicit BestTracker(Options options) : options_(std::move(options)) {}

  /// True when `value` is strictly better than every one before. A value that is not finite never is.
  bool observe(int64_t step, double value);
  bool patience_is_spent() const { return options_.patience > 0 && since_best_ >= options_.patience; }

  const Options& options() const { return options_; }
  std::optional<double> best() const { return best_; }
  int64_t best_step() const { return best_step_; }

  nlohmann::json to_json() const;
  void from_json(const nlohmann::json& json);

 private:
  Options options_;
  std::optional<double> best_;
  int64_t best_step_ = 0;
  int64_t since_best_ = 0;
};

}  // namespace sst::run
