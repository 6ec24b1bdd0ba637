#pragma once

#include <torch/types.h>

namespace sst::nn {

/// h / sqrt(max(|<h,h>|, 1e-8)): sums of points, [..., dim], brought back to the hyperboloid. Differentiable; on the CPU
/// one fused pass each way.
torch::Tensor lorentz_normalise(const torch::Tensor& h);

/// The same in place for contiguous rows h [rows, dim] on the CPU, without a graph.
///   returns  what the backward pass wants to know of each row, [rows, 2]
torch::Tensor normalise_rows_(torch::Tensor h);

/// Gradient with respect to h, [rows, dim].
///   points   the normalised rows        saved  what normalise_rows_ returned        gradient  of the loss by `points`
torch::Tensor normalise_rows_backward(const torch::Tensor& points, const torch::Tensor& saved,
                                      const torch::Tensor& gradient);

}  // namespace sst::nn
