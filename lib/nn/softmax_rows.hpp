#pragma once

#include <torch/types.h>

namespace sst::nn {

/// Rows of logits become rows of their loss's gradient, in place: (softmax − one-hot(target)) · scale; all zero where the
/// target is negative.
///   logits   contiguous [rows, classes], float64, float32 or bfloat16; arithmetic in float32, float64 for float64
///   targets  contiguous int64 [rows]
///   returns  Σ −log softmax[target] over the rows, added up in row order whatever the number of threads
double softmax_loss_(const torch::Tensor& logits, const torch::Tensor& targets, double scale);

/// The same sum without the gradient: `logits` is left as it is.
double softmax_loss(const torch::Tensor& logits, const torch::Tensor& targets);

}  // namespace sst::nn
