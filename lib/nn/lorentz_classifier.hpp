#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <string>

#include "nn/build.hpp"

namespace sst::nn {

/// One point of the hyperboloid per class (`cls` [classes, dim]) and one number (`bias` [classes]); a node's
/// logit is the negative squared Lorentz distance to the point, plus the number: 2 + 2 <h_i, c_k> + β_k.
class LorentzClassifier final : public torch::nn::Module {
 public:
  /// Points start at distance one or more from the origin in directions that are drawn, biases at zero.
  /// `name` is the module's full path, the key of the draw.
  LorentzClassifier(int64_t classes, int64_t dim, const Build& build, const std::string& name);

  /// h points [nodes, dim] → logits [nodes, classes].
  torch::Tensor forward(const torch::Tensor& h) const;

 private:
  torch::Tensor cls_, bias_;
  torch::Tensor metric_;  ///< twice the signature, (−2, 2, …, 2) [dim]
};

}  // namespace sst::nn
