#pragma once

#include <torch/types.h>

namespace sst::nn {

struct SoftmaxOptions {
  double scale = 1;            ///< of the gradient
  double label_smoothing = 0;  ///< share of the target distribution that the other classes have together
  int64_t excluded = -1;       ///< a class without a share of it (padding); -1: none
};

/// Sums over the rows that have a target (0 or more), added up in row order whatever the number of threads, in nats.
struct SoftmaxSums {
  double loss = 0;     ///< Σ KL(q ‖ softmax); without smoothing Σ −log softmax[target]
  double nll = 0;      ///< Σ −log softmax[target]
  double correct = 0;  ///< rows in which no class has a larger logit than the target
};

/// Rows of logits become rows of the loss's gradient, in place: (softmax − q) · scale; all zero where the target is
/// negative. q has 1 − ε on the target and ε / (number of others) on each other class.
///   logits   contiguous [rows, classes], float64, float32 or bfloat16; arithmetic in float32, float64 for float64
///   targets  contiguous int64 [rows]
SoftmaxSums softmax_sums_(const torch::Tensor& logits, const torch::Tensor& targets, const SoftmaxOptions& options);

/// The same sums without the gradient: `logits` is left as it is.
SoftmaxSums softmax_sums(const torch::Tensor& logits, const torch::Tensor& targets, const SoftmaxOptions& options);

/// log Σ exp of each row of contiguous float32 or float64 logits on the CPU, float64 [rows].
torch::Tensor log_normalisers(const torch::Tensor& logits);

/// What the smoothed target distribution puts on the target and on each other class, and Σ q log q.
struct SmoothTarget {
  double own = 1, other = 0, entropy = 0;
  SmoothTarget(int64_t classes, double label_smoothing, bool excludes_one);
};

}  // namespace sst::nn
