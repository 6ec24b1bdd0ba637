#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "optim/schedule.hpp"

namespace sst::optim {

/// The one schedule that looks at results: lowers the rate when evaluations stop improving. Its factor
/// multiplies the pure schedule's, and its state is part of a checkpoint.
///   source  torch.optim.lr_scheduler.ReduceLROnPlateau, without threshold and cooldown
class Plateau {
 public:
  explicit Plateau(const ScheduleOptions& options);

  /// 1 under every other schedule than `plateau`.
  double factor() const { return factor_; }
  /// After an evaluation; `improved` says whether its best metric is strictly better than all before.
  void observe(bool improved);

  nlohmann::json state() const;
  /// Throws CheckpointError when the state is not one that state() wrote.
  void load_state(const nlohmann::json& state);

 private:
  bool active_;
  double reduction_, least_;
  int64_t patience_;
  double factor_ = 1;
  int64_t bad_evaluations_ = 0;  // in a row
};

}  // namespace sst::optim
