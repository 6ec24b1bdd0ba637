#pragma once

#include "optim/update_rule.hpp"

namespace sst::optim {

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  bool decoupled_decay = true;  ///< true: AdamW; false: Adam, with the decay added to the gradient
};

/// Adam and AdamW.
///   m ← β₁ m + (1 − β₁) g      v ← β₂ v + (1 − β₂) g²      d = m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)
///   state     "exp_avg" m, "exp_avg_sq" v, like the gradient; t is the tensor's own step count
///   source    Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2
class Adam : public UpdateRule {
 public:
  explicit Adam(const AdamOptions& options) : options_(options) {}

  Moments zero_moments(const torch::Tensor& gradient, Geometry geometry) const override;
  torch::Tensor direction(const torch::Tensor& gradient, State& state) const override;
  /// One pass over contiguous float32 or float64 CPU memory; the general form elsewhere.
  void update_(torch::Tensor parameter, const torch::Tensor& gradient, State& state, double lr,
               double decay) const override;
  /// Tensors on a GPU together, by LibTorch's fused kernel; the others one by one.
  void update_all_(const std::vector<Update>& updates) const override;
  bool decay_is_decoupled() const override { return options_.decoupled_decay; }

 protected:
  const AdamOptions& options() const { return options_; }

 private:
  AdamOptions options_;
};

}  // namespace sst::optim
