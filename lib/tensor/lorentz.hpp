#pragma once

#include <torch/types.h>

#include <optional>

/// The hyperboloid { x : <x,x> = −1, x_0 > 0 } of curvature −1 in R^dim; dim counts the time entry, entry 0
/// of the last axis. Points and vectors are [..., dim] and broadcast; float64 or float32. All functions are
/// differentiable.
///
/// Square roots are taken of max(z, 1e-9) and lengths stop at 10 (cosh 10 ≈ 11013), as in the published code
/// of Chen et al., "Fully Hyperbolic Neural Networks" (2022), with its gradients: a clamp lets 1e-8 of the
/// gradient through where it is active.
namespace sst::tensor::lorentz {

inline constexpr double kLeastSquare = 1e-9;
inline constexpr double kMostLength = 10;
inline constexpr double kLeastCentroidSquare = 1e-8;

/// sqrt(max(x, 1e-9)), of any shape.
torch::Tensor sqrt_clamped(const torch::Tensor& x);
/// arcosh(max(x, 1 + 1e-8)), of any shape; its derivative 1 / sqrt(x² − 1) is not masked by the clamp.
torch::Tensor acosh_clamped(const torch::Tensor& x);

/// <u,v> = −u_0 v_0 + Σ u_i v_i → [...], or [..., 1] with `keepdim`.
torch::Tensor minkowski_inner(const torch::Tensor& u, const torch::Tensor& v, bool keepdim = false);
/// <x_i, y_j> of all pairs of rows. x [n, dim], y [m, dim] → [n, m].
torch::Tensor minkowski_cross(const torch::Tensor& x, const torch::Tensor& y);
/// Length of tangent vectors → [...].
torch::Tensor minkowski_norm(const torch::Tensor& u, bool keepdim = false);
/// Geodesic distance arcosh(−<x,y>) → [...].
torch::Tensor distance(const torch::Tensor& x, const torch::Tensor& y, bool keepdim = false);
/// Squared Lorentz distance −2 − 2 <x,y> → [...].
torch::Tensor squared_distance(const torch::Tensor& x, const torch::Tensor& y);

/// Replaces the time entry so that the result lies on the hyperboloid.
torch::Tensor projx(const torch::Tensor& x);
/// The part of v that is tangent at x: v + <x,v> x.
torch::Tensor proju(const torch::Tensor& x, const torch::Tensor& v);
/// The point reached from x along u; u is first made tangent, and its length stops at 10.
torch::Tensor expmap(const torch::Tensor& x, const torch::Tensor& u);
/// expmap at the origin (1, 0, …, 0). u is not made tangent: a time entry other than 0 enters through its
/// length.
torch::Tensor expmap0(const torch::Tensor& u);
/// The tangent vector at x that expmap takes to y.
torch::Tensor logmap(const torch::Tensor& x, const torch::Tensor& y);
/// logmap at the origin; the origin itself gives zero.
torch::Tensor logmap0(const torch::Tensor& y);
/// The gradient in the metric of the hyperboloid, from the Euclidean one: entry 0 negated, then made tangent.
torch::Tensor egrad2rgrad(const torch::Tensor& x, const torch::Tensor& gradient);
/// Parallel transport of v, tangent at x, to y.
torch::Tensor transport(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& v);
/// Weighted Lorentz centroids. x [n, dim], weights [m, n] → [m, dim]; without weights the centroid of all
/// rows, [dim].
torch::Tensor centroid(const torch::Tensor& x, const std::optional<torch::Tensor>& weights = std::nullopt);
/// h / sqrt(max(|<h,h>|, 1e-8)): a sum of points, brought back to the hyperboloid.
torch::Tensor normalise(const torch::Tensor& h);

}  // namespace sst::tensor::lorentz
