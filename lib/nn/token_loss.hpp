#pragma once

#include <cstdint>
#include <optional>

#include "nn/loss.hpp"
#include "tensor/targets.hpp"

namespace sst::nn {

struct TokenLossOptions {
  std::optional<torch::ScalarType> compute = {};  ///< type of the products; not given: that of the weight
  /// What the sum will be multiplied by before backward (1 / count), folded into the gradients; another factor costs one
  /// more pass over them.
  double scale = 1;
  int64_t block_rows = 0;  ///< rows whose logits exist at a time; 0: about 112 MiB of them
};

/// Σ −log softmax(hidden · weightᵀ)[target] over the positions that have a target, in nats: output layer and loss in one.
/// The logits exist a block of rows at a time, in the type of the product; softmax and sum are float32 (float64 for
/// float64). The gradients of `hidden` and `weight` are made on the way, so the output layer is multiplied three times as
/// anywhere else and nothing of size [rows, vocabulary] is kept.
///   hidden    [rows, dim]           weight   [vocabulary, dim], masters      targets  int64 [rows], tensor::kNoTarget skips
LossSum token_loss(const torch::Tensor& hidden, const torch::Tensor& weight, const torch::Tensor& targets,
                   const TokenLossOptions& options = {});

}  // namespace sst::nn
