#include "optim/low_rank_heavy_ball.hpp"

#include "optim/low_rank_steps.hpp"

namespace sst::optim {

using torch::Tensor;

Moments LowRankHeavyBall::zero_low_rank_moments(const LowRankMatrix& matrix) const {
  return zero_tangent(matrix, "momentum");
}

void LowRankHeavyBall::update_low_rank_(LowRankMatrix& matrix, State& state, double lr, double decay) const {
  const LowRankTangent gradient = matrix.gradient();
  LowRankTangent momentum = read_tangent(matrix, state.moments, "momentum");
  momentum = {.a = momentum.a * options().momentum + gradient.a,
              .b = momentum.b * options().momentum + gradient.b,
              .c = momentum.c * options().momentum + gradient.c};
  const LowRankPoint from = matrix.point();
  const LowRankPoint to = retract_(matrix, momentum, lr, decay);
  write_tangent(transported(momentum, from, to), state.moments, "momentum");
}

Moments LowRankHeavyBallGalerkin::zero_low_rank_moments(const LowRankMatrix& matrix) const {
  return {{"momentum_s", torch::zeros_like(matrix.s)}};
}

void LowRankHeavyBallGalerkin::update_low_rank_(LowRankMatrix& matrix, State& state, double lr, double decay) const {
  Tensor& stored = state.moments.at("momentum_s");
  CoreStep core = open_core(matrix, state.step);
  const Tensor momentum = core.padded(stored) * options().momentum + core.gradient;
  core.point.s = core.point.s * (1 - lr * decay) - momentum * lr;
  const Truncated closed = close_core_(matrix, core, state.step);
  set_block(stored, closed.p.defined() ? closed.p.t().mm(momentum).mm(closed.q) : momentum);
}

}  // namespace sst::optim
