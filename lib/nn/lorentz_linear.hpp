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
  int64_t heads =
      1;  ///< columns 0, in / heads, 2 in / heads, … of W start at zero: the time entries of that many points
  bool split = false;     ///< the output is `heads` points side by side, each with a time entry of its own
  double init_bound = 0;  ///< W starts uniform on ± this; 0: 1/√out
  double init_scale = 2.302585092994046;  ///< of `scale`; log 10
  bool in_block = true;                   ///< LinearSpec's
};

/// The same with the initial values of the published translation code: W uniform on ±0.02, `scale` = 2.3.
LorentzLinearOptions translation_linear(LorentzLinearOptions options);

/// The Lorentz linear layer: activation and dropout on the input, the map (child `weight`), then the lift.
/// Initial values: W uniform with the columns of the input's time entries zero, b = 0, `scale` as the options say.
class LorentzLinear final : public torch::nn::Module {
 public:
  /// `name` is the layer's full path; its map is `name`.weight, of which a factory may make what it likes.
  LorentzLinear(const LorentzLinearOptions& options, const Build& build, const std::string& name);

  /// x [rows, in] → points [rows, out].
  torch::Tensor forward(const tensor::Rows& x, const Pass& pass);

  /// The layer as the published translation code has it, over sequences: `residual` is added to the output of the map,
  /// before its time entries are computed. Dropout masks go by sequence.
  ///   x [batch, time, in], residual like the result or undefined → [batch, time, out]
  torch::Tensor forward_sequences(const torch::Tensor& x, const Pass& pass, const torch::Tensor& residual = {});

 private:
  LorentzLinearOptions options_;
  std::string name_;
  std::shared_ptr<LinearMap> weight_;
  torch::Tensor scale_;  ///< scalar, a logarithm
};

}  // namespace sst::nn
