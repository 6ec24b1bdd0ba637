#pragma once

#include <torch/autograd.h>

#include <functional>
#include <vector>

namespace sst::testing {

/// Central differences with step 1e-6 in float64: the cut-off error is about 1e-12 times third derivatives,
/// the rounding error about 1e-10 times the value.
constexpr double kGradientTolerance = 1e-6;

/// Largest difference between the gradient of Σ R ∘ f(inputs), R fixed, and its central differences, relative
/// to the largest entry of the gradient or 1. f must be smooth near the float64 inputs.
inline double gradient_error(const std::function<torch::Tensor(const std::vector<torch::Tensor>&)>& f,
                             std::vector<torch::Tensor> inputs) {
  for (torch::Tensor& input : inputs) input = input.detach().clone().requires_grad_();
  const torch::Tensor value = f(inputs);
  const torch::Tensor weights = torch::linspace(-1, 1.5, value.numel(), torch::kFloat64).view_as(value);
  const auto gradients = torch::autograd::grad({value}, inputs, {weights});
  const torch::NoGradGuard no_grad;
  double error = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const double scale = std::max(1.0, gradients[i].abs().max().item<double>());
    const torch::Tensor flat = inputs[i].view({-1}), gradient = gradients[i].reshape({-1});
    for (int64_t j = 0; j < flat.numel(); ++j) {
      constexpr double kStep = 1e-6;
      const double old = flat[j].item<double>();
      flat[j] = old + kStep;
      const double above = (f(inputs) * weights).sum().item<double>();
      flat[j] = old - kStep;
      const double below = (f(inputs) * weights).sum().item<double>();
      flat[j] = old;
      error = std::max(error, std::abs((above - below) / (2 * kStep) - gradient[j].item<double>()) / scale);
    }
  }
  return error;
}

}  // namespace sst::testing
