#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "optim/optimizer.hpp"

namespace sst::run {

/// `schedule.name: match_effective`: the rates at which this run's weights move relative to their size as those of another
/// run did. That run wrote rate ηₜ and norms of its weights before every step t (`logging.weights: 1`); here
///
///     global        η'ₜ = ηₜ · ‖w'ₜ‖ / ‖wₜ‖          over all tensors that take part in weight decay
///     per_matrix    the same for each of them by itself; every other tensor moves at ηₜ
///
/// In this form equal norms give the recorded rate exactly.
///   source    D'Angelo et al. 2024, "Why Do We Need Weight Decay in Modern Deep Learning?", the runs without weight decay
///             whose effective rate is that of a run with it
class MatchedRates {
 public:
  struct Rates {
    optim::LearningRates rates;
    std::vector<double> factors;  ///< on top of them, one for each trained tensor; empty: 1 for all
  };

  /// `source` is a run directory or its metrics.jsonl; `total_steps` 0 where the end of training is not known.
  ///   throws    DataError where the file is missing, has no such lines, not one for each step, or is of other tensors
  MatchedRates(const std::filesystem::path& source, bool per_matrix, int64_t total_steps,
               const std::vector<optim::Parameter>& parameters);

  /// The rates of the 0-based step, for the weights as they are now. Throws DataError after the last recorded step.
  Rates at(int64_t step, const std::vector<optim::Parameter>& parameters) const;

 private:
  struct Record {
    optim::LearningRates rates;
    std::vector<double> norms;  ///< of the decayed tensors; with scope global the joint one alone
  };

  std::filesystem::path file_;
  bool per_matrix_;
  std::vector<Record> records_;  ///< records_[t] is of 0-based step t
};

}  // namespace sst::run
