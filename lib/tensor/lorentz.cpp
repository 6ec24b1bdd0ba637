#include "tensor/lorentz.hpp"

#include "core/error.hpp"
#include "tensor/autograd.hpp"

namespace sst::tensor::lorentz {
namespace {

constexpr double kLeak = 1e-8;  // share of the gradient that passes an active clamp

torch::Tensor time(const torch::Tensor& x) { return x.narrow(-1, 0, 1); }

torch::Tensor space(const torch::Tensor& x) { return x.narrow(-1, 1, x.size(-1) - 1); }

torch::Tensor leaky_clamp(const torch::Tensor& x, double least, double most) {
  const torch::Tensor raw = x.detach();
  return with_backward(raw.clamp(least, most), {x}, [raw, least, most](const torch::Tensor& gradient, const auto&) {
    const torch::Tensor inside = raw.ge(least).logical_and(raw.le(most));
    return std::vector{torch::where(inside, gradient, gradient * kLeak)};
  });
}

torch::Tensor at_least(const torch::Tensor& x, double least) {
  return leaky_clamp(x, least, std::numeric_limits<double>::infinity());
}

/// A vector's direction and its length, cut at kMostLength.
std::pair<torch::Tensor, torch::Tensor> direction_and_length(const torch::Tensor& u) {
  const torch::Tensor length = minkowski_norm(u, /*keepdim=*/true);  // [..., 1]
  return {u / length, leaky_clamp(length, 0, kMostLength)};
}

}  // namespace

torch::Tensor sqrt_clamped(const torch::Tensor& x) { return at_least(x, kLeastSquare).sqrt(); }

torch::Tensor acosh_clamped(const torch::Tensor& x) {
  const torch::Tensor raised = x.detach().clamp_min(1 + 1e-8);
  const torch::Tensor root = (raised * raised - 1).clamp_min(kLeastSquare).sqrt();
  return with_backward((raised + root).log(), {x},
                       [root](const torch::Tensor& gradient, const auto&) { return std::vector{gradient / root}; });
}

torch::Tensor minkowski_inner(const torch::Tensor& u, const torch::Tensor& v, bool keepdim) {
  const torch::Tensor products = u * v;
  return products.sum(-1, keepdim) - 2 * (keepdim ? time(products) : products.select(-1, 0));
}

torch::Tensor minkowski_cross(const torch::Tensor& x, const torch::Tensor& y) {
  return torch::cat({-time(x), space(x)}, -1).matmul(y.t());
}

torch::Tensor minkowski_norm(const torch::Tensor& u, bool keepdim) {
  return sqrt_clamped(minkowski_inner(u, u, keepdim));
}

torch::Tensor distance(const torch::Tensor& x, const torch::Tensor& y, bool keepdim) {
  return acosh_clamped(-minkowski_inner(x, y, keepdim));
}

torch::Tensor squared_distance(const torch::Tensor& x, const torch::Tensor& y) {
  return -2 - 2 * minkowski_inner(x, y);
}

torch::Tensor projx(const torch::Tensor& x) {
  const torch::Tensor rest = space(x);
  return torch::cat({(1 + rest.square().sum(-1, /*keepdim=*/true)).sqrt(), rest}, -1);
}

torch::Tensor proju(const torch::Tensor& x, const torch::Tensor& v) {
  return v + minkowski_inner(x, v, /*keepdim=*/true) * x;
}

torch::Tensor expmap(const torch::Tensor& x, const torch::Tensor& u) {
  const auto [direction, length] = direction_and_length(proju(x, u));
  return projx(length.cosh() * x + length.sinh() * direction);
}

torch::Tensor expmap0(const torch::Tensor& u) {
  const auto [direction, length] = direction_and_length(u);
  return projx(length.sinh() * direction);  // the origin adds to the time entry only, which projx sets
}

torch::Tensor logmap(const torch::Tensor& x, const torch::Tensor& y) {
  const torch::Tensor toward = y + minkowski_inner(x, y, /*keepdim=*/true) * x;
  return distance(x, y, /*keepdim=*/true) * toward / minkowski_norm(toward, /*keepdim=*/true);
}

torch::Tensor logmap0(const torch::Tensor& y) {
  const torch::Tensor factor = acosh_clamped(time(y)) / sqrt_clamped(time(y).square() - 1);
  return torch::cat({torch::zeros_like(time(y)), factor * space(y)}, -1);
}

torch::Tensor egrad2rgrad(const torch::Tensor& x, const torch::Tensor& gradient) {
  return proju(x, torch::cat({-time(gradient), space(gradient)}, -1));
}

torch::Tensor transport(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& v) {
  const torch::Tensor scale =
      minkowski_inner(y, v, /*keepdim=*/true) / at_least(1 - minkowski_inner(x, y, /*keepdim=*/true), 1e-7);
  return v + scale * (x + y);
}

torch::Tensor centroid(const torch::Tensor& x, const std::optional<torch::Tensor>& weights) {
  return normalise(weights ? weights->matmul(x) : x.mean(-2));
}

torch::Tensor normalise(const torch::Tensor& h) {
  return h / minkowski_inner(h, h, /*keepdim=*/true).abs().clamp_min(kLeastCentroidSquare).sqrt();
}

}  // namespace sst::tensor::lorentz
