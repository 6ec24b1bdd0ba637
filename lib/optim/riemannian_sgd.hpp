#pragma once

#include "optim/sgd.hpp"

namespace sst::optim {

/// Gradient descent with momentum and decoupled decay for Euclidean tensors, and for points of the
/// hyperboloid:
///   m ← μ m + g with the tangent gradient g;  x ← exp(x, −lr · m);  m is carried to the new point, and
///   projected to its tangent space at every 10th update state     "momentum_buffer" like the points, also
///   when μ = 0 source    Bonnabel 2013; momentum as in geoopt's RiemannianSGD
class RiemannianSgd : public Sgd {
 public:
  explicit RiemannianSgd(double momentum) : Sgd({.momentum = momentum, .decoupled_decay = true}) {}

  Moments zero_moments(const torch::Tensor& gradient, Geometry geometry) const override;
  bool moves_on_manifolds() const override { return true; }
  void update_on_manifold_(torch::Tensor points, const torch::Tensor& gradient, State& state, double lr) const override;
};

}  // namespace sst::optim
