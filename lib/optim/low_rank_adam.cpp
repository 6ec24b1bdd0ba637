#include "optim/low_rank_adam.hpp"

#include <cmath>

#include "optim/low_rank_steps.hpp"

namespace sst::optim {

using torch::Tensor;

namespace {

double bias_correction(double beta, int64_t step) { return 1 - std::pow(beta, static_cast<double>(step)); }

}  // namespace

Moments LowRankAdam::zero_low_rank_moments(const LowRankMatrix& matrix) const {
  if (kind_.second_moment == SecondMoment::kCoefficient) {
    Moments moments = {{"exp_avg_s", torch::zeros_like(matrix.s)}, {"exp_avg_sq_s", torch::zeros_like(matrix.s)}};
    if (kind_.transport == MomentTransport::kSquare) moments["age_s"] = torch::zeros_like(matrix.s);
    return moments;
  }
  Moments moments = zero_tangent(matrix, "exp_avg");
  const auto options = matrix.s.options().requires_grad(false);
  if (kind_.second_moment == SecondMoment::kScalar) {
    moments["exp_avg_sq"] = torch::zeros({}, options);
  } else {
    moments["exp_avg_sq_s"] = torch::zeros({}, options);
    moments["exp_avg_sq_u"] = torch::zeros({matrix.u.size(1)}, options);
    moments["exp_avg_sq_v"] = torch::zeros({matrix.v.size(1)}, options);
  }
  return moments;
}

void LowRankAdam::update_low_rank_(LowRankMatrix& matrix, State& state, double lr, double decay) const {
  if (kind_.second_moment == SecondMoment::kCoefficient) return update_core_(matrix, state, lr, decay);
  const double beta1 = options().beta1;
  const LowRankPoint from = matrix.point();
  const LowRankTangent gradient = matrix.gradient();
  const LowRankTangent before = read_tangent(matrix, state.moments, "exp_avg");
  const LowRankTangent mean = {.a = before.a * beta1 + gradient.a * (1 - beta1),
                               .b = before.b * beta1 + gradient.b * (1 - beta1),
                               .c = before.c * beta1 + gradient.c * (1 - beta1)};
  const LowRankTangent direction = kind_.second_moment == SecondMoment::kRow
                                       ? direction_by_rows(from, gradient, mean, state)
                                       : direction_by_norm(from, gradient, mean, state);
  const LowRankPoint to =
      retract_(matrix, direction, lr / bias_correction(beta1, state.step), decay * bias_correction(beta1, state.step));
  write_tangent(transported(mean, from, to), state.moments, "exp_avg");
}

LowRankTangent LowRankAdam::direction_by_rows(const LowRankPoint& at, const LowRankTangent& gradient,
                                              const LowRankTangent& mean, State& state) const {
  const double beta2 = options().beta2, correction = bias_correction(beta2, state.step);
  const auto root_of = [&](const char* name, const Tensor& mean_square) {
    Tensor& moment = state.moments.at(name);
    moment.mul_(beta2).add_(mean_square, 1 - beta2);
    return (moment / correction).sqrt_().add_(options().eps);
  };
  const Tensor gk = gradient.b + at.u.mm(gradient.a), gl = gradient.c + at.v.mm(gradient.a.t());  // G V, GᵀU
  const Tensor root_s = root_of("exp_avg_sq_s", gradient.a.square().mean());
  const Tensor root_u = root_of("exp_avg_sq_u", gk.square().mean(1)).unsqueeze(1);  // [m, 1]
  const Tensor root_v = root_of("exp_avg_sq_v", gl.square().mean(1)).unsqueeze(1);  // [n, 1]
  const Tensor k = (mean.b + at.u.mm(mean.a)) / root_u, l = (mean.c + at.v.mm(mean.a.t())) / root_v;
  return {.a = mean.a / root_s, .b = k - at.u.mm(at.u.t().mm(k)), .c = l - at.v.mm(at.v.t().mm(l))};
}

LowRankTangent LowRankAdam::direction_by_norm(const LowRankPoint& at, const LowRankTangent& gradient,
                                              const LowRankTangent& mean, State& state) const {
  const double beta2 = options().beta2;
  const int64_t r = at.u.size(1);
  const auto freedoms = static_cast<double>(r * (at.u.size(0) + at.v.size(0) - r));
  const Tensor square = (gradient.a.square().sum() + gradient.b.square().sum() + gradient.c.square().sum()) / freedoms;
  Tensor& moment = state.moments.at("exp_avg_sq");
  moment.mul_(beta2).add_(square, 1 - beta2);
  const Tensor root = (moment / bias_correction(beta2, state.step)).sqrt_().add_(options().eps);
  return {.a = mean.a / root, .b = mean.b / root, .c = mean.c / root};
}

void LowRankAdam::update_core_(LowRankMatrix& matrix, State& state, double lr, double decay) const {
  const bool aged = kind_.transport == MomentTransport::kSquare;
  CoreStep core = open_core(matrix, state.step);
  State s{.step = state.step,
          .moments = {{"exp_avg", core.padded(state.moments.at("exp_avg_s"))},
                      {"exp_avg_sq", core.padded(state.moments.at("exp_avg_sq_s"))}}};
  Tensor& m = s.moments.at("exp_avg");
  Tensor& v = s.moments.at("exp_avg_sq");
  Tensor age, step;
  if (aged) {
    // A fresh entry has seen few squares under a large step count: it is divided by the weight of what it has seen.
    const double beta1 = options().beta1, beta2 = options().beta2;
    age = core.padded(state.moments.at("age_s")) * beta2 + (1 - beta2);
    m = m * beta1 + core.gradient * (1 - beta1);
    v = v * beta2 + core.gradient.square() * (1 - beta2);
    step = m / bias_correction(beta1, state.step) / ((v / age).sqrt() + options().eps);
  } else {
    m = m.clone();
    v = v.clone();
    step = direction(core.gradient, s);
  }
  core.point.s = core.point.s * (1 - lr * decay) - step * lr;
  const Truncated closed = close_core_(matrix, core, state.step);
  if (closed.p.defined()) {
    const Tensor left = closed.p.t(), right = closed.q;
    m = left.mm(m).mm(right);
    v = aged ? left.square().mm(v).mm(right.square()) : left.mm(v.sqrt()).mm(right).square();
    if (aged) age = left.square().mm(age).mm(right.square());
  }
  set_block(state.moments.at("exp_avg_s"), m);
  set_block(state.moments.at("exp_avg_sq_s"), v);
  if (aged) set_block(state.moments.at("age_s"), age);
}

}  // namespace sst::optim
