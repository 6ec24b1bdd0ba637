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
  double label_smoothing = 0;  ///< share ε of the target distribution that all other words have together
  int64_t padding = -1;        ///< a word that has none of it; -1: every word has its part
  /// Positions that have a target, where the caller knows: counting them makes the CPU wait for a GPU.
  std::optional<double> count = {};
  int64_t block_rows = 0;  ///< rows whose logits exist at a time; 0: about 112 MiB of them
};

/// A loss with what is reported beside it: scalars in float64, without a graph.
struct TokenLoss : LossSum {
  torch::Tensor nll;      ///< Σ −log softmax[target], whatever the smoothing
  torch::Tensor correct;  ///< positions where the target has the largest score
};

/// Σ −log softmax(hidden · weightᵀ + bias)[target] over the positions that have a target, in nats: output layer and loss
/// in one. With smoothing it is Σ KL(q ‖ softmax), q = 1 − ε on the target and ε / (V − 2) on every other word but
/// padding, the constant Σ q log q included.
/// The logits exist a block of rows at a time, in the type of the product; softmax and sum are float32 (float64 for
/// float64). The gradients of `hidden`, `weight` and `bias` are made on the way, so the output layer is multiplied three
/// times as anywhere else and nothing of size [rows, vocabulary] is kept.
///   hidden    [rows, dim]           weight   [vocabulary, dim], masters      targets  int64 [rows], tensor::kNoTarget skips
///   bias      [vocabulary] or undefined
TokenLoss token_loss(const torch::Tensor& hidden, const torch::Tensor& weight, const torch::Tensor& bias,
                     const torch::Tensor& targets, const TokenLossOptions& options = {});

/// Bytes that token_loss has at its fullest beside its arguments, its gradients and what is small, of `rows` positions
/// without a bias.
///   weight   only its shape and type count
double token_loss_bytes(int64_t rows, const torch::Tensor& weight, std::optional<torch::ScalarType> compute,
                        torch::DeviceType device);

/// Without a bias.
LossSum token_loss(const torch::Tensor& hidden, const torch::Tensor& weight, const torch::Tensor& targets,
                   const TokenLossOptions& options = {});

/// The same of scores [rows, vocabulary] that exist as a whole, for output layers that are no plain matrix.
TokenLoss token_loss_of_scores(const torch::Tensor& scores, const torch::Tensor& targets,
                               const TokenLossOptions& options = {});

}  // namespace sst::nn
