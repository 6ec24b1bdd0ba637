#pragma once

#include <torch/types.h>

#include <optional>

namespace sst::nn {

/// A loss as sum and count, so that parts add up before the one division. sum / count is the published mean.
struct LossSum {
  torch::Tensor sum;  ///< scalar, differentiable
  double count = 0;
  std::optional<double> nll = {};  ///< Σ −log p in nats, where the sum is something else (label smoothing)
};

/// Σ relu(margin − logit of the label + logit) over all nodes × classes, the label's own column (margin)
/// included.
///   logits  [nodes, classes]        labels  int64 [nodes]        count  nodes · classes
///   source  the published code of HyboNet
LossSum margin_loss(const torch::Tensor& logits, const torch::Tensor& labels, double margin);

/// Σ (margin + relu(margin − s⁺ + s⁻)) over matched pairs: HyboNet's mean over the table (s⁺, s⁻) of pairs
/// × 2.
///   positive, negative  scores [pairs]        count  2 · pairs
LossSum link_margin_loss(const torch::Tensor& positive, const torch::Tensor& negative, double margin);

/// Σ −log softmax(logits)[label], in nats.
///   logits  [nodes, classes]        labels  int64 [nodes]        count  nodes
LossSum cross_entropy_loss(const torch::Tensor& logits, const torch::Tensor& labels);

/// Σ −log p⁺ − log(1 − p⁻) over matched pairs: the loss of HGCN, a mean of each.
///   positive, negative  probabilities [pairs]        count  pairs
LossSum link_cross_entropy_loss(const torch::Tensor& positive, const torch::Tensor& negative);

}  // namespace sst::nn
