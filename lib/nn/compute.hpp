#pragma once

#include <torch/types.h>

#include <cstdint>

#include "nn/pass.hpp"
#include "tensor/rows.hpp"

namespace sst::nn {

// Mixed precision: the products of linear maps and of attention run in `Pass::compute`; weights, the residual stream,
// norms, softmax and loss keep the type of the weights.

/// x in the type the pass computes in: x itself where that is no other type, or where x is undefined. Differentiable.
torch::Tensor in_compute_type(const torch::Tensor& x, const Pass& pass);
/// The same for rows; sparse ones have no other type.
tensor::Rows in_compute_type(const tensor::Rows& x, const Pass& pass);

/// A matrix in the type the pass computes in. It is converted again only after the matrix has changed: once per
/// optimizer step, whatever the number of micro-batches.
class ComputeCopy {
 public:
  /// `weight` itself where the pass asks for no other type. The copy's gradient reaches `weight` in weight's own type,
  /// so that micro-batches add up there.
  torch::Tensor of(const torch::Tensor& weight, const Pass& pass);

 private:
  torch::Tensor copy_;
  int64_t version_ = -1;  ///< of the matrix that was copied: every change in place raises it
};

}  // namespace sst::nn
