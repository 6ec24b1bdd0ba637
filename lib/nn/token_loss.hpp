#pragma once

#include <cstdint>
#include <optional>

#include "nn/loss.hpp"

namespace sst::nn {

/// Bytes of logits that are alive at a time: large products, and a share of what the weight's gradient takes.
constexpr int64_t kLogitBytes = int64_t{112} << 20;
constexpr int64_t kNoTarget = -100;  ///< a position that predicts nothing

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
///   hidden    [rows, dim]           weight   [vocabulary, dim], masters      targets  int64 [rows], kNoTarget skips
LossSum token_loss(const torch::Tensor& hidden, const torch::Tensor& weight, const torch::Tensor& targets,
                   const TokenLossOptions& options = {});

}  // namespace sst::nn
