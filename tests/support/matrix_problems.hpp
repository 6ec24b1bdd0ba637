#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numbers>
#include <vector>

#include "optim/adam.hpp"
#include "optim/low_rank_adam.hpp"
#include "optim/low_rank_heavy_ball.hpp"
#include "optim/sgd.hpp"

/// Matrix problems whose answers are known, from a study of momentum on low-rank weights (docs/methods.md, lowrank). All of
/// them are closed forms, so that any program can repeat them.
namespace sst::optim {

using torch::Tensor;
using Gradient = std::function<Tensor(const Tensor& w)>;

/// Columns `first` … `first` + count − 1 of the DCT-II (without the constant one, first >= 1).
inline Tensor dct2(int64_t rows, int64_t first, int64_t count) {
  const Tensor i = torch::arange(rows, torch::kFloat64).unsqueeze(1),
               k = torch::arange(first, first + count, torch::kFloat64);
  const auto m = static_cast<double>(rows);
  return ((2 * i + 1) * k * (std::numbers::pi / (2 * m))).cos() * std::sqrt(2 / m);
}

/// The first columns of the DCT-IV.
inline Tensor dct4(int64_t rows, int64_t count) {
  const Tensor i = torch::arange(rows, torch::kFloat64).unsqueeze(1), k = torch::arange(count, torch::kFloat64);
  const auto m = static_cast<double>(rows);
  return ((i + 0.5) * (k + 0.5) * (std::numbers::pi / m)).cos() * std::sqrt(2 / m);
}

inline Tensor numbers(const std::vector<double>& values) { return torch::tensor(values, torch::kFloat64); }

/// The target of T1: 50 x 40 with the given singular values.
inline Tensor target_with(const std::vector<double>& sigma) {
  const auto rank = static_cast<int64_t>(sigma.size());
  return dct2(50, 1, rank).mm(numbers(sigma).diag()).mm(dct2(40, 1, rank).t());
}
inline const std::vector<double> kSigma = {10, 3, 1, 0.1, 0.01};

inline LowRankPoint start_of_rank(int64_t rank, int64_t m = 50, int64_t n = 40) {
  return {.u = dct4(m, rank), .s = torch::linspace(1, 0.5, rank, torch::kFloat64).diag(), .v = dct4(n, rank)};
}

inline Tensor dense(const LowRankPoint& at) { return at.u.mm(at.s).mm(at.v.t()); }
inline Tensor dense(const LowRankPoint& at, const LowRankTangent& t) {
  return at.u.mm(t.a).mm(at.v.t()) + t.b.mm(at.v.t()) + at.u.mm(t.c.t());
}

inline Gradient towards(const Tensor& target) {
  return [target](const Tensor& w) { return w - target; };
}

/// A matrix, its rule and its state, stepped by dense gradients.
struct Run {
  std::unique_ptr<UpdateRule> rule;
  LowRankMatrix matrix;
  State state;

  Run(std::unique_ptr<UpdateRule> update_rule, const LowRankPoint& start, const Truncation& truncation = {},
      int64_t inner_steps = 1)
      : rule(std::move(update_rule)) {
    const int64_t rank = start.s.size(0), m = start.u.size(0), n = start.v.size(0);
    const int64_t largest = std::min({std::max(rank, truncation.tolerance > 0 ? truncation.rank_max : 0), m, n});
    const int64_t bases = inner_steps > 1 ? 2 : 1;
    const int64_t room_u = std::min(bases * largest, m), room_v = std::min(bases * largest, n);
    const auto options = start.u.options();
    matrix = {.u = torch::zeros({room_u, m}, options).requires_grad_(),
              .s = torch::zeros({room_u, room_v}, options).requires_grad_(),
              .v = torch::zeros({room_v, n}, options).requires_grad_(),
              .in_use = torch::zeros({3}, torch::kInt64),
              .truncation = truncation,
              .inner_steps = inner_steps};
    matrix.set(start, rank);
    const torch::NoGradGuard no_grad;
    state.moments = rule->zero_low_rank_moments(matrix);
  }

  void step(const Gradient& gradient, double lr, double decay = 0) {
    const torch::NoGradGuard no_grad;
    const LowRankPoint at = matrix.point();
    const Tensor g = gradient(dense(at)), gk = g.mm(at.v), gl = g.t().mm(at.u);
    const LowRankTangent projected = project_gradient(at, gk, gl, at.u.t().mm(gk));
    for (Tensor* tensor : {&matrix.u, &matrix.s, &matrix.v}) tensor->mutable_grad() = torch::zeros_like(*tensor);
    set_block(matrix.s.mutable_grad(), projected.a);
    if (!matrix.augmented()) {
      set_block(matrix.u.mutable_grad(), projected.b.t());
      set_block(matrix.v.mutable_grad(), projected.c.t());
    }
    ++state.step;
    rule->update_low_rank_(matrix, state, lr, decay);
  }
  Run& steps(int64_t count, const Gradient& gradient, double lr) {
    for (int64_t i = 0; i < count; ++i) step(gradient, lr);
    return *this;
  }
  Tensor w() const { return dense(matrix.point()); }
  double loss(const Tensor& target) const { return 0.5 * (w() - target).square().sum().item<double>(); }

  /// The loss before each of `count` steps, and after the last.
  std::vector<double> losses(int64_t count, const Tensor& target, double lr) {
    std::vector<double> all = {loss(target)};
    for (int64_t i = 0; i < count; ++i) {
      step(towards(target), lr);
      all.push_back(loss(target));
    }
    return all;
  }
};

inline std::unique_ptr<UpdateRule> heavy_ball(double momentum = 0.9) {
  return std::make_unique<LowRankHeavyBall>(momentum);
}
inline std::unique_ptr<UpdateRule> galerkin(double momentum = 0.9) {
  return std::make_unique<LowRankHeavyBallGalerkin>(momentum);
}
inline std::unique_ptr<UpdateRule> low_rank_adam(SecondMoment kind,
                                                 MomentTransport transport = MomentTransport::kSquare) {
  return std::make_unique<LowRankAdam>(LowRankAdamOptions{.adam = {}, .second_moment = kind, .transport = transport});
}

/// A rule of single tensors on the factors of a matrix as they are, the baseline, with a state for each.
class Factors {
 public:
  Factors(const UpdateRule& rule, std::vector<Tensor> factors) : rule_(&rule), factors_(std::move(factors)) {
    for (Tensor& factor : factors_) {
      factor = factor.detach().clone().requires_grad_();
      states_.emplace_back().moments = rule.zero_moments(factor.detach(), Geometry::kEuclidean);
    }
  }

  Tensor product() const {
    Tensor w = factors_[0];
    for (size_t i = 1; i < factors_.size(); ++i) w = w.mm(i + 1 < factors_.size() ? factors_[i] : factors_[i].t());
    return w;
  }

  /// After a backward pass through product().
  void step(double lr) {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < factors_.size(); ++i) {
      ++states_[i].step;
      factors_[i].sub_(rule_->direction(factors_[i].grad(), states_[i]), lr);
      factors_[i].mutable_grad() = Tensor();
    }
  }

  /// The loss before each of `count` steps, and after the last; ends at the first that is not finite.
  std::vector<double> losses(int64_t count, const Tensor& target, double lr) {
    std::vector<double> all;
    while (true) {
      const Tensor loss = 0.5 * (product() - target).square().sum();
      all.push_back(loss.item<double>());
      if (std::ssize(all) > count || !std::isfinite(all.back())) return all;
      loss.backward();
      step(lr);
    }
  }

 private:
  const UpdateRule* rule_;
  std::vector<Tensor> factors_;  ///< U, S, V or U, V, the last transposed in the product; or W alone
  std::vector<State> states_;
};

/// T1's start as U, S, V, and as two factors.
inline std::vector<Tensor> three_factors() {
  const LowRankPoint start = start_of_rank(5);
  return {start.u, start.s, start.v};
}
inline std::vector<Tensor> two_factors() {
  const LowRankPoint start = start_of_rank(5);
  const Tensor root = start.s.sqrt();
  return {start.u.mm(root), start.v.mm(root)};
}

}  // namespace sst::optim
