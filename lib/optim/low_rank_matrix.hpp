#pragma once

#include <torch/types.h>

#include <cstdint>

namespace sst::optim {

/// How the rank follows after a matrix has moved.
struct Truncation {
  double tolerance = 0;  ///< 0: the rank stays what it is
  bool relative = true;  ///< the tail that is cut is at most tolerance · ‖σ‖; otherwise at most tolerance
  int64_t rank_min = 2;
  int64_t rank_max = 2;
  bool frozen = false;  ///< from now on the rank stays
};

/// A point of the manifold, W = U S Vᵀ: u [m, r] and v [n, q] with orthonormal columns, s [r, q]; r = q but for bases that
/// are augmented.
struct LowRankPoint {
  torch::Tensor u, s, v;
};

/// A tangent vector at (u, s, v), M = U a Vᵀ + b Vᵀ + U cᵀ with Uᵀb = 0 and Vᵀc = 0: a [r, q], b [m, q], c [n, r]. Its
/// squared length is that of the three together.
struct LowRankTangent {
  torch::Tensor a, b, c;
};

/// A matrix that a rule moves as a whole, kept in memory as rows, with room for a larger rank:
///     u [room, m], v [room, n]   rows in use are orthonormal, the others zero
///     s [room, room]             the leading block is in use
///     in_use                     int64 [3] on the CPU: rank, rows of u in use, rows of v in use; they differ from the rank
///                                only between an augmentation and the truncation that ends the inner steps
/// The gradients of u, s, v are b ᵀ, a, cᵀ of the projected gradient P(W)G, not those of the factors.
struct LowRankMatrix {
  torch::Tensor u, s, v, in_use;
  Truncation truncation;
  int64_t inner_steps = 1;  ///< updates of S alone between an augmentation and a truncation

  int64_t rank() const { return in_use.const_data_ptr<int64_t>()[0]; }
  int64_t rows_of_u() const { return in_use.const_data_ptr<int64_t>()[1]; }
  int64_t rows_of_v() const { return in_use.const_data_ptr<int64_t>()[2]; }
  bool augmented() const { return rows_of_u() > rank() || rows_of_v() > rank(); }

  LowRankPoint point() const;  ///< a copy: it stays while the matrix moves
  void set(const LowRankPoint& point, int64_t rank);
  /// What backward left in the gradients; b and c are undefined where the bases are augmented.
  LowRankTangent gradient() const;
};

/// The leading block of `padded` becomes `block`, the rest zero.
void set_block(torch::Tensor padded, const torch::Tensor& block);

/// P(W)G in coordinates, from gK = G V [m, q], gL = GᵀU [n, r] and gS = UᵀG V [r, q].
LowRankTangent project_gradient(const LowRankPoint& at, const torch::Tensor& gk, const torch::Tensor& gl,
                                const torch::Tensor& gs);

/// Columns that complete `basis` [m, r] to one of span[basis | added], at most m − r of them. The basis itself stays the
/// leading columns, whatever signs a decomposition prefers.
torch::Tensor new_directions(const torch::Tensor& basis, const torch::Tensor& added);

/// The vector with b and c expressed in new directions u2, v2: [[a, (v2ᵀc)ᵀ], [u2ᵀb, 0]].
torch::Tensor augmented_coordinates(const LowRankTangent& tangent, const torch::Tensor& u2, const torch::Tensor& v2);

/// What is left of a point after the SVD of its S: the point, and the rotations P [r, r1], Q [q, r1] that made it. Both
/// are undefined where nothing had to be cut and the point is as before.
struct Truncated {
  LowRankPoint point;
  torch::Tensor p, q;
};

/// `rank`: what it was before the bases were augmented. The rest of W that is cut has exactly the norm of the cut σ.
Truncated truncate(const LowRankPoint& augmented, int64_t rank, const Truncation& truncation);

/// The orthogonal projection of a tangent vector at `from` to the tangent space at `to`: P(W⁺) M, which is not longer.
LowRankTangent transported(const LowRankTangent& tangent, const LowRankPoint& from, const LowRankPoint& to);

}  // namespace sst::optim
