#pragma once

#include <torch/types.h>

#include "core/seeds.hpp"

namespace sst::tensor {

/// A = u · diag(s) · vt with k = min(m, n): u [m, k], s [k] descending, vt [k, n].
struct ThinSvd {
  torch::Tensor u, s, vt;
};

/// Thin singular value decomposition of a [m, n], computed and returned in float32 or better, without a
/// graph. Throws std::logic_error when `a` is not a matrix of finite numbers. On the meta device it gives the shapes.
ThinSvd thin_svd(const torch::Tensor& a);

/// The `rank` leading triplets through a random range finder with two power iterations; with rank = min(m, n) it is the
/// whole decomposition, to rounding. Same conventions and errors as thin_svd.
///   source    Halko, Martinsson & Tropp 2011, "Finding structure with randomness", algorithms 4.4 and 5.1
ThinSvd randomized_svd(const torch::Tensor& a, int64_t rank, CounterRng rng);

/// max |QᵀQ − I| over the columns of q [m, k]; 0 for orthonormal columns.
double orthogonality_error(const torch::Tensor& q);

/// The singular values of a [m, n], [min(m, n)] descending, in float32 or better.
torch::Tensor singular_values(const torch::Tensor& a);

/// ‖A‖₂, the largest singular value.
double spectral_norm(const torch::Tensor& a);

/// ‖A‖²_F / ‖A‖²₂ from singular values s [k]: a rank that small singular values hardly enter. 0 for the zero
/// matrix.
double stable_rank(const torch::Tensor& s);

/// exp of the entropy of s / Σs: between 1 and k (Roy & Vetterli 2007, "The effective rank"). 0 for the zero
/// matrix.
double effective_rank(const torch::Tensor& s);

}  // namespace sst::tensor
