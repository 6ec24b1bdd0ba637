#include "optim/adam.hpp"

#include <ATen/Parallel.h>

#include <cmath>

#include "optim/cpu_loop.hpp"

namespace sst::optim {

using torch::Tensor;

namespace {

/// The constants of one update, in the type of the tensor.
template <class Float>
struct Constants {
  Float beta1, one_minus_beta1, beta2, one_minus_beta2;
  Float step_size;   // lr / (1 − β₁ᵗ)
  Float root_scale;  // 1 / √(1 − β₂ᵗ)
  Float eps;
  Float keep;            // 1 − lr · decay, when decoupled
  Float gradient_decay;  // decay, when added to the gradient
};

template <class Float>
Constants<Float> constants_of(const AdamOptions& options, int64_t step, double lr, double decay) {
  const auto t = static_cast<double>(step);
  return {.beta1 = static_cast<Float>(options.beta1),
          .one_minus_beta1 = static_cast<Float>(1 - options.beta1),
          .beta2 = static_cast<Float>(options.beta2),
          .one_minus_beta2 = static_cast<Float>(1 - options.beta2),
          .step_size = static_cast<Float>(lr / (1 - std::pow(options.beta1, t))),
          .root_scale = static_cast<Float>(1 / std::sqrt(1 - std::pow(options.beta2, t))),
          .eps = static_cast<Float>(options.eps),
          .keep = static_cast<Float>(options.decoupled_decay ? 1 - lr * decay : 1),
          .gradient_decay = static_cast<Float>(options.decoupled_decay ? 0 : decay)};
}

/// Elements [begin, end). Each is computed by itself, so the result does not depend on how threads share the
/// tensor. The inner loop has a constant length, which the compiler turns into vector instructions.
template <class Float>
void update_range(Float* __restrict p, const Float* __restrict g, Float* __restrict m, Float* __restrict v,
                  int64_t begin, int64_t end, const Constants<Float>& c) {
  const auto update = [&](int64_t i) {
    const Float gradient = g[i] + c.gradient_decay * p[i];
    m[i] = c.beta1 * m[i] + c.one_minus_beta1 * gradient;
    v[i] = c.beta2 * v[i] + c.one_minus_beta2 * gradient * gradient;
    p[i] = c.keep * p[i] - c.step_size * m[i] / (std::sqrt(v[i]) * c.root_scale + c.eps);
  };
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) update(i + lane);
  for (; i < end; ++i) update(i);
}

}  // namespace

Moments Adam::zero_moments(const Tensor& gradient, Geometry) const {
  return {{"exp_avg", torch::zeros_like(gradient, at::MemoryFormat::Contiguous)},
          {"exp_avg_sq", torch::zeros_like(gradient, at::MemoryFormat::Contiguous)}};
}

Tensor Adam::direction(const Tensor& gradient, State& state) const {
  const auto t = static_cast<double>(state.step);
  Tensor& m = state.moments.at("exp_avg");
  Tensor& v = state.moments.at("exp_avg_sq");
  m.mul_(options_.beta1).add_(gradient, 1 - options_.beta1);
  v.mul_(options_.beta2).addcmul_(gradient, gradient, 1 - options_.beta2);
  const double root_scale = 1 / std::sqrt(1 - std::pow(options_.beta2, t));
  const Tensor root = v.sqrt().mul_(root_scale).add_(state.raw_eps ? options_.eps * root_scale : options_.eps);
  return m.div(root).mul_(1 / (1 - std::pow(options_.beta1, t)));
}

void Adam::update_(Tensor parameter, const Tensor& gradient, State& state, double lr, double decay) const {
  Tensor& m = state.moments.at("exp_avg");
  Tensor& v = state.moments.at("exp_avg_sq");
  const Tensor g = gradient.contiguous();
  if (!fits_cpu_loop({parameter, g, m, v})) return UpdateRule::update_(parameter, gradient, state, lr, decay);
  with_type_of(parameter, [&](auto zero) {
    using Float = decltype(zero);
    const auto constants = constants_of<Float>(options_, state.step, lr, decay);
    auto* const p_data = parameter.data_ptr<Float>();
    const auto* const g_data = g.const_data_ptr<Float>();
    auto* const m_data = m.data_ptr<Float>();
    auto* const v_data = v.data_ptr<Float>();
    at::parallel_for(0, parameter.numel(), kGrain, [&](int64_t begin, int64_t end) {
      update_range(p_data, g_data, m_data, v_data, begin, end, constants);
    });
  });
  mark_changed(parameter);
}

}  // namespace sst::optim
