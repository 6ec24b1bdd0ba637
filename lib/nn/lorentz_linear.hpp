#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>

#include "nn/build.hpp"
#include "nn/linear.hpp"
#include "nn/pass.hpp"
#include "tensor/rows.hpp"

namespace sst::nn {

/// Makes points of the hyperboloid from the output of a linear map: with y = (y_0, q),
///   t = sigmoid(y_0) exp(log_scale) + 1.1,   out = (t, q sqrt((t² − 1) / max(|q|², 1e-8))).
///   y          [rows, dim]        log_scale  scalar        returns [rows, dim]
///   source     Chen et al. 2022, equation 7, as in the published code: an offset of 1.1 and a floor under
///   |q|²
/// On the CPU one fused pass each way; elsewhere lift_to_hyperboloid_plain().
torch::Tensor lift_to_hyperboloid(const torch::Tensor& y, const torch::Tensor& log_scale);

/// The same in LibTorch's own operations: the reference of the tests and the path of other devices.
torch::Tensor lift_to_hyperboloid_plain(const torch::Tensor& y, const torch::Tensor& log_scale);

struct LorentzLinearOptions {
  int64_t in = 0;  ///< time entry included, like `out`
  int64_t out = 0;
  bool bias = true;
  bool relu = false;   ///< on the input, before dropout
  double dropout = 0;  ///< on every entry of the input, time entry included
};

/// The Lorentz linear layer: activation and dropout on the input, the map (child `weight`), then the lift.
/// Initial values: W uniform on ±1/√out with column 0 (the input's time entry) zero, b = 0, `scale` = log 10.
class LorentzLinear final : public torch::nn::Module {
 public:
  /// `name` is the layer's full path; its map is `name`.weight, of which a factory may make what it likes.
  LorentzLinear(const LorentzLinearOptions& options, const Build& build, const std::string& name);

  /// x [rows, in] → points [rows, out].
  torch::Tensor forward(const tensor::Rows& x, const Pass& pass);

 private:
  LorentzLinearOptions options_;
  std::string name_;
  std::shared_ptr<LinearMap> weight_;
  torch::Tensor scale_;  ///< scalar, a logarithm
};

}  // namespace sst::nn
