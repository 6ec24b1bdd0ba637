#include "optim/adam.hpp"

#include <ATen/Parallel.h>
#include <c10/core/DeviceGuard.h>

#include <cmath>
#include <map>
#include <tuple>
#include <vector>

#include "optim/cpu_loop.hpp"
#include "tensor/changed.hpp"

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

/// What one fused call takes: tensors of one device and type, at one step and rate.
struct FusedGroup {
  std::vector<Tensor> parameters, gradients, m, v;

  void add(const Update& update) {
    parameters.push_back(update.parameter);
    gradients.push_back(update.gradient.contiguous());
    m.push_back(update.state->moments.at("exp_avg"));
    v.push_back(update.state->moments.at("exp_avg_sq"));
  }
};

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
  tensor::mark_changed(parameter);
}

void Adam::update_all_(const std::vector<Update>& updates) const {
  using Key = std::tuple<int64_t, double, double, torch::ScalarType, c10::DeviceIndex>;
  std::map<Key, FusedGroup> groups;
  for (const Update& update : updates) {
    const auto& [parameter, gradient, state, lr, decay] = update;
    if (parameter.is_cuda() && parameter.is_contiguous() && parameter.layout() == torch::kStrided)
      groups[{state->step, lr, decay, parameter.scalar_type(), parameter.device().index()}].add(update);
    else
      update_(parameter, gradient, *state, lr, decay);
  }
  for (auto& entry : groups) {  // named by hand: clang 16 captures no name of a binding where there is OpenMP
    FusedGroup& group = entry.second;
    const int64_t step = std::get<0>(entry.first);
    const double lr = std::get<1>(entry.first), decay = std::get<2>(entry.first);
    const c10::DeviceGuard on_its_device(group.parameters.front().device());
    const std::vector<Tensor> steps(group.parameters.size(),
                                    torch::full({}, step, group.parameters.front().options().dtype(torch::kFloat32)));
    const auto run = [&](const auto& fused) {
      fused(group.parameters, group.gradients, group.m, group.v, /*max_exp_avg_sqs=*/std::vector<Tensor>{}, steps, lr,
            options_.beta1, options_.beta2, decay, options_.eps, /*amsgrad=*/false, /*maximize=*/false, std::nullopt,
            std::nullopt);
    };
    if (options_.decoupled_decay)
      run([](auto&&... all) { at::_fused_adamw_(all...); });
    else
      run([](auto&&... all) { at::_fused_adam_(all...); });
    // The fused kernels, unlike other operations in place, do not tell: copies of the weights would go stale.
    for (const auto* tensors : {&group.parameters, &group.m, &group.v})
      for (const Tensor& tensor : *tensors) tensor::mark_changed(tensor);
  }
}

}  // namespace sst::optim
