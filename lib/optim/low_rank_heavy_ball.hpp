#pragma once

#include "optim/low_rank_matrix.hpp"
#include "optim/riemannian_sgd.hpp"

namespace sst::optim {

/// Heavy ball on the manifold of matrices of rank r: the momentum is a tangent vector, the move leaves the manifold along
/// it and is cut back by an SVD, and the momentum is projected to the new tangent space. At full rank it is dense heavy
/// ball. Other tensors: as riemannian_sgd.
///   M ← μ M + P(W)G      W ← truncate((1 − lr · decay) W − lr M)      M ← P(W⁺) M
///   state     "momentum_s", "momentum_u", "momentum_v": a, bᵀ, cᵀ of M, in room for the largest rank
///   source    derived from dynamical low-rank approximation, after the abstract of Schotthöfer, Klein & Kusch, arXiv
///             2506.17475, whose pseudo-code was not at hand; with μ = 0 it is a step of GeoLoRA, arXiv 2410.18720
class LowRankHeavyBall final : public RiemannianSgd {
 public:
  explicit LowRankHeavyBall(double momentum) : RiemannianSgd(momentum) {}
  bool moves_low_rank() const override { return true; }
  Moments zero_low_rank_moments(const LowRankMatrix& matrix) const override;
  void update_low_rank_(LowRankMatrix& matrix, State& state, double lr, double decay) const override;
};

/// The same with a momentum that lives in the bases of W alone, [r, r]: less memory, and no more than S learns between an
/// augmentation and the truncation that follows it after `inner_steps`.
///   first inner step     U ← [U | new directions of G V], V likewise, S and M padded with zeros; G seen through blocks
///   each inner step      M ← μ M + UᵀG V      S ← (1 − lr · decay) S − lr M
///   last inner step      S = P Σ Qᵀ, U ← U P, V ← V Q, M ← Pᵀ M Q
///   state     "momentum_s"
///   source    derived; the cycle is that of arXiv 2505.08022, algorithm 1
class LowRankHeavyBallGalerkin final : public RiemannianSgd {
 public:
  explicit LowRankHeavyBallGalerkin(double momentum) : RiemannianSgd(momentum) {}
  bool moves_low_rank() const override { return true; }
  bool takes_inner_steps() const override { return true; }
  Moments zero_low_rank_moments(const LowRankMatrix& matrix) const override;
  void update_low_rank_(LowRankMatrix& matrix, State& state, double lr, double decay) const override;
};

}  // namespace sst::optim
