#pragma once

#include "optim/low_rank_matrix.hpp"
#include "optim/riemannian_adam.hpp"

namespace sst::optim {

enum class SecondMoment { kRow, kScalar, kCoefficient };
enum class MomentTransport { kSquare, kSqrt };

struct LowRankAdamOptions {
  AdamOptions adam;
  SecondMoment second_moment = SecondMoment::kRow;
  MomentTransport transport = MomentTransport::kSquare;  ///< of kCoefficient
};

/// Adam on the manifold of matrices of rank r. Moves, truncations and the transport of the first moment are those of
/// LowRankHeavyBall; the kinds differ in what the momentum is divided by. Other tensors: as riemannian_adam.
///   row      mean squares of the rows of G V and GᵀU, and of UᵀG V: coordinates of W, which no change of basis touches
///   scalar   one number, ‖P(W)G‖² / (r (m + n − r))
///   coeff    Adam on S alone, [r, r], in bases that are augmented and truncated as in LowRankHeavyBallGalerkin; when they
///            turn by P, Q the second moment goes to (P∘P)ᵀ v (Q∘Q) with an age for each entry (`square`), or to
///            (Pᵀ √v Q)² under the common step count (`sqrt`, as in the code of arXiv 2505.08022). With bases that never
///            turn and `sqrt` it is Adam.
///   state     row, scalar: "exp_avg_s|u|v", "exp_avg_sq_s|u|v" or "exp_avg_sq"; coeff: "exp_avg_s", "exp_avg_sq_s", and
///             "age_s" with `square`
///   source    derived, see LowRankHeavyBall; no kind equals dense Adam at full rank in general, because squares of
///             entries do not turn with a basis
class LowRankAdam final : public RiemannianAdam {
 public:
  explicit LowRankAdam(const LowRankAdamOptions& options) : RiemannianAdam(options.adam), kind_(options) {}
  bool moves_low_rank() const override { return true; }
  bool takes_inner_steps() const override { return kind_.second_moment == SecondMoment::kCoefficient; }
  Moments zero_low_rank_moments(const LowRankMatrix& matrix) const override;
  void update_low_rank_(LowRankMatrix& matrix, State& state, double lr, double decay) const override;

 private:
  void update_core_(LowRankMatrix& matrix, State& state, double lr, double decay) const;
  LowRankTangent direction_by_rows(const LowRankPoint& at, const LowRankTangent& gradient, const LowRankTangent& mean,
                                   State& state) const;
  LowRankTangent direction_by_norm(const LowRankPoint& at, const LowRankTangent& gradient, const LowRankTangent& mean,
                                   State& state) const;

  LowRankAdamOptions kind_;
};

}  // namespace sst::optim
