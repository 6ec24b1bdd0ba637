#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>

#include "nn/activation.hpp"
#include "nn/build.hpp"
#include "nn/lorentz_linear.hpp"
#include "nn/norm.hpp"

namespace sst::nn {

/// A feed-forward sublayer of a Transformer, with what stands around it (norm, residual).
class FeedForward : public torch::nn::Module {
 public:
  /// x [batch, time, hidden] → the same shape.
  virtual torch::Tensor forward(const torch::Tensor& x, const Pass& pass) = 0;
};

/// x + dropout(W₂ · dropout(activation(W₁ · norm(x) + b₁)) + b₂), as OpenNMT-py 1.1.1 has it, or with the norm behind the
/// sum. Children `norm`, `fc1`, `fc2`, Xavier-uniform.
class TransformerFeedForward final : public FeedForward {
 public:
  struct Options {
    int64_t hidden_size = 0, ffn_size = 0;
    std::string activation = "relu";
    NormPlace norm_place = NormPlace::kBefore;
    double norm_eps = 1e-6;
    double dropout = 0, activation_dropout = 0;
  };
  TransformerFeedForward(const Options& options, const Build& build, const std::string& name);
  torch::Tensor forward(const torch::Tensor& x, const Pass& pass) override;

 private:
  Options options_;
  std::string name_;
  Activation activation_;
  std::shared_ptr<LayerNorm> norm_;
  std::shared_ptr<LinearMap> fc1_, fc2_;
};

/// Two Lorentz linear layers: `fc1`, then `fc2` with a ReLU on its input and x as residual.
///   source  Chen et al. 2022, published translation code
class LorentzFeedForward final : public FeedForward {
 public:
  struct Options {
    int64_t hidden_size = 0, ffn_size = 0;
    double dropout = 0;  ///< on the inputs of both layers
  };
  LorentzFeedForward(const Options& options, const Build& build, const std::string& name);
  torch::Tensor forward(const torch::Tensor& x, const Pass& pass) override;

 private:
  std::shared_ptr<LorentzLinear> fc1_, fc2_;
};

}  // namespace sst::nn
