#include "optim/geodesic.hpp"

namespace sst::optim {

using torch::Tensor;

namespace {

// [points, dim], [points, dim] → [points, 1]
Tensor minkowski(const Tensor& u, const Tensor& v) {
  const Tensor product = u * v;
  return product.sum(-1, true) - 2 * product.narrow(-1, 0, 1);
}

Tensor project_tangent(const Tensor& x, const Tensor& v) { return v + minkowski(x, v) * x; }

Tensor project(const Tensor& x) {
  const Tensor space = x.narrow(-1, 1, x.size(-1) - 1);
  return torch::cat({(1 + space.square().sum(-1, true)).sqrt(), space}, -1);
}

Tensor exponential_map(const Tensor& x, const Tensor& v) {
  const Tensor u = project_tangent(x, v);
  const Tensor norm = minkowski(u, u).clamp_min(1e-9).sqrt();
  const Tensor radius = norm.clamp_max(10);
  return project(radius.cosh() * x + radius.sinh() / norm * u);
}

Tensor transport(const Tensor& x, const Tensor& y, const Tensor& v) {
  return v + minkowski(y, v) / (1 - minkowski(x, y)).clamp_min(1e-7) * (x + y);
}

}  // namespace

Tensor riemannian_gradient(const Tensor& points, const Tensor& gradient) {
  const Tensor flipped = torch::cat({-gradient.narrow(-1, 0, 1), gradient.narrow(-1, 1, gradient.size(-1) - 1)}, -1);
  return project_tangent(points, flipped);
}

Tensor squared_norms(const Tensor& tangents) { return minkowski(tangents, tangents).clamp_min(0); }

void move_points_(Tensor points, Tensor momentum, const Tensor& lengths, bool stabilize) {
  const Tensor moved = exponential_map(points, -lengths * momentum);
  momentum.copy_(transport(points, moved, momentum));
  points.copy_(moved);
  if (stabilize) momentum.copy_(project_tangent(points, momentum));
}

}  // namespace sst::optim
