#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "nn/pass.hpp"

namespace sst::tasks {

/// A loss that can be added up over micro-batches and processes before it is divided once.
struct Loss {
  torch::Tensor sum;  ///< scalar, differentiable
  double count = 0;
};

using Metrics = std::map<std::string, double>;  ///< "loss", "f1", … of one split

/// Data, model and metric together: something that can be trained.
class Task {
 public:
  virtual ~Task() = default;
  virtual torch::nn::Module& model() = 0;
  /// Names of the parameters whose rows are points of the hyperboloid.
  virtual std::vector<std::string> lorentz_parameters() const { return {}; }
  /// Names of the parameters that weight decay acts on.
  virtual std::vector<std::string> decayed_parameters() const = 0;
  virtual int64_t steps_per_epoch() const = 0;
  virtual Loss loss(const nn::Pass& pass) = 0;
  virtual Metrics evaluate(const std::string& split) = 0;
  /// Lines for the table at the start: {"nodes", "2,708"}.
  virtual std::vector<std::pair<std::string, std::string>> facts() const = 0;
};

}  // namespace sst::tasks
