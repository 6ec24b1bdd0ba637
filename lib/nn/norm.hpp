#pragma once

#include <torch/nn/module.h>

#include <cstdint>

#include "nn/build.hpp"

namespace sst::nn {

/// Where a sublayer of a Transformer has its norm: in front of it, x + f(norm(x)), or behind the residual,
/// norm(x + f(x)).
enum class NormPlace { kBefore, kAfter };

/// (x − mean) / √(variance + eps) ∘ weight + bias over the last dimension; weight starts at 1, bias at 0.
class LayerNorm final : public torch::nn::Module {
 public:
  LayerNorm(int64_t width, double eps, const Build& build, bool bias = true);
  torch::Tensor forward(const torch::Tensor& x) const;

 private:
  double eps_;
  torch::Tensor weight_, bias_;
};

/// x / √(mean(x²) + eps) ∘ weight over the last dimension; weight starts at 1 (Zhang & Sennrich 2019).
class RmsNorm final : public torch::nn::Module {
 public:
  RmsNorm(int64_t width, double eps, const Build& build);
  torch::Tensor forward(const torch::Tensor& x) const;

 private:
  double eps_;
  torch::Tensor weight_;
};

}  // namespace sst::nn
