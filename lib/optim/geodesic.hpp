#pragma once

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

/// What the Riemannian rules share: tensors [points, dim] whose rows lie on the hyperboloid <x,x> = −1, x₀ >
/// 0, with <u,v> = −u₀v₀ + Σᵢ uᵢvᵢ, and momentum rows in the tangent space <x,m> = 0 of their point.
///   source    Bécigneul & Ganea 2019 (Riemannian adaptive methods); Chen et al. 2022, published code
namespace sst::optim {

/// Every so many updates of a tensor its points and momentum are projected back, so that rounding cannot pile
/// up.
inline constexpr int64_t kStabilizeEvery = 10;

/// The Euclidean gradient as tangent vectors of the points. [points, dim] → [points, dim]
torch::Tensor riemannian_gradient(const torch::Tensor& points, const torch::Tensor& gradient);

/// <u,u> of every row, not below 0. [points, dim] → [points, 1]
torch::Tensor squared_norms(const torch::Tensor& tangents);

/// points ← exp(points, −length · momentum); momentum ← carried to the new point by parallel transport.
///   momentum  [points, dim], tangent      lengths   [points, 1] or [1]
///   stabilize also projects the momentum to the tangent space (the points are projected in every exponential
///   map)
void move_points_(torch::Tensor points, torch::Tensor momentum, const torch::Tensor& lengths, bool stabilize);

/// The same in one pass over raw rows: m ← momentum_decay · m + gradient_weight · g for the tangent gradient
/// g, then a geodesic step of −length(row, <g,g>) · m. Rows are independent, so the result is the same for
/// any number of threads.
template <class Float>
struct PointRows {
  Float* points;          // [count, dim]
  const Float* gradient;  // [count, dim], Euclidean
  Float* momentum;        // [count, dim]
  int64_t count, dim;
  Float momentum_decay, gradient_weight;
  bool stabilize;

  template <class Length>
  void move(const Length& length) const {
    const int64_t rows_per_thread = std::max<int64_t>(1, 4096 / dim);
    at::parallel_for(0, count, rows_per_thread, [&](int64_t begin, int64_t end) {
      std::vector<Float> scratch(static_cast<size_t>(dim));
      for (int64_t row = begin; row < end; ++row) move_row(row, scratch.data(), length);
    });
  }

 private:
  Float inner(const Float* u, const Float* v) const {
    Float sum = -u[0] * v[0];
    for (int64_t i = 1; i < dim; ++i) sum += u[i] * v[i];
    return sum;
  }

  /// v ← v + <x,v> x
  void project_tangent(const Float* x, Float* v) const {
    const Float along = inner(x, v);
    for (int64_t i = 0; i < dim; ++i) v[i] += along * x[i];
  }

  /// v ← exp(x, v), on the hyperboloid
  void exponential_map(const Float* x, Float* v) const {
    constexpr Float kMinSquare = Float(1e-9), kMaxRadius = Float(10);
    project_tangent(x, v);
    const Float norm = std::sqrt(std::max(inner(v, v), kMinSquare));
    const Float radius = std::min(norm, kMaxRadius);
    const Float along_x = std::cosh(radius), along_v = std::sinh(radius) / norm;
    Float space = 0;
    for (int64_t i = 1; i < dim; ++i) {
      v[i] = along_x * x[i] + along_v * v[i];
      space += v[i] * v[i];
    }
    v[0] = std::sqrt(1 + space);
  }

  template <class Length>
  void move_row(int64_t row, Float* scratch, const Length& length) const {
    Float* const x = points + row * dim;
    Float* const m = momentum + row * dim;
    std::copy_n(gradient + row * dim, dim, scratch);
    scratch[0] = -scratch[0];
    project_tangent(x, scratch);
    const Float step = length(row, std::max(inner(scratch, scratch), Float(0)));
    for (int64_t i = 0; i < dim; ++i) m[i] = momentum_decay * m[i] + gradient_weight * scratch[i];

    for (int64_t i = 0; i < dim; ++i) scratch[i] = -step * m[i];
    exponential_map(x, scratch);
    const Float carry = inner(scratch, m) / std::max(1 - inner(x, scratch), Float(1e-7));
    for (int64_t i = 0; i < dim; ++i) m[i] += carry * (x[i] + scratch[i]);
    std::copy_n(scratch, dim, x);
    if (stabilize) project_tangent(x, m);
  }
};

}  // namespace sst::optim
