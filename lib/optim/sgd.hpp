#pragma once

#include "optim/update_rule.hpp"

namespace sst::optim {

struct SgdOptions {
  double momentum = 0.9;         ///< 0: plain gradient descent, without state
  bool decoupled_decay = false;  ///< false: the decay is added to the gradient
};

/// Gradient descent with momentum; `heavy_ball` is its name in the literature on low-rank training.
///   m ← μ m + g      d = m
///   state     "momentum_buffer" m, like the gradient; none when μ = 0
///   source    Polyak 1964; the form of torch.optim.SGD without dampening
class Sgd : public UpdateRule {
 public:
  explicit Sgd(const SgdOptions& options) : options_(options) {}

  Moments zero_moments(const torch::Tensor& gradient, Geometry geometry) const override;
  torch::Tensor direction(const torch::Tensor& gradient, State& state) const override;
  bool decay_is_decoupled() const override { return options_.decoupled_decay; }

 protected:
  const SgdOptions& options() const { return options_; }

 private:
  SgdOptions options_;
};

}  // namespace sst::optim
