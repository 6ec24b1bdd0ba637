#pragma once

#include "optim/adam.hpp"

namespace sst::optim {

/// Adam with decoupled decay for Euclidean tensors, and for points of the hyperboloid, row by row:
///   m ← β₁ m + (1 − β₁) g      v ← β₂ v + (1 − β₂) <g,g>, one number per point, g the tangent gradient
///   x ← exp(x, −lr · d), d as in Adam; m is carried to the new point; every 10th update projects both back
///   state     "exp_avg" like the points, "exp_avg_sq" [points, 1]
///   source    Bécigneul & Ganea 2019, algorithm 1; <g,g> is clamped at 0, which the published code leaves to
///   rounding
class RiemannianAdam : public Adam {
 public:
  explicit RiemannianAdam(const AdamOptions& options) : Adam(options) {}

  Moments zero_moments(const torch::Tensor& gradient, Geometry geometry) const override;
  bool moves_on_manifolds() const override { return true; }
  void update_on_manifold_(torch::Tensor points, const torch::Tensor& gradient, State& state, double lr) const override;
};

}  // namespace sst::optim
