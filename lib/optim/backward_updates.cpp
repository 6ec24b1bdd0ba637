#include "optim/backward_updates.hpp"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>
#include <utility>

namespace sst::optim {
namespace {

/// Autograd calls it when a leaf's gradient is complete: every use of the leaf has contributed.
class GradientHook final : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit GradientHook(std::function<void()> action) : action_(std::move(action)) {}
  void operator()(const torch::Tensor&) override { action_(); }

 private:
  std::function<void()> action_;
};

/// Hooks live as long as this: an ordinary backward afterwards must only accumulate.
class Hooks {
 public:
  Hooks() = default;
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;
  ~Hooks() {
    for (const torch::Tensor& leaf : leaves_) torch::autograd::impl::set_post_acc_grad_hooks(leaf, nullptr);
  }
  void add(const torch::Tensor& leaf, std::function<void()> action) {
    torch::autograd::impl::set_post_acc_grad_hooks(leaf, std::make_unique<GradientHook>(std::move(action)));
    leaves_.push_back(leaf);
  }

 private:
  std::vector<torch::Tensor> leaves_;
};

}  // namespace

GradientNorm step_within_backward(Optimizer& optimizer, const LearningRates& rates,
                                  const std::function<void()>& backward) {
  double squares = 0;
  std::string non_finite;
  Hooks hooks;
  for (size_t i = 0; i < optimizer.parameters().size(); ++i) {
    const Parameter& parameter = optimizer.parameters()[i];
    hooks.add(parameter.tensor, [&, i] {
      torch::Tensor& gradient = parameter.tensor.mutable_grad();
      const double norm =
          torch::linalg_vector_norm(gradient.detach(), 2, std::nullopt, false, torch::kFloat64).item<double>();
      squares += norm * norm;
      if (!std::isfinite(norm) && non_finite.empty()) non_finite = parameter.name;
      if (non_finite.empty()) optimizer.step_one(i, rates);
      gradient = torch::Tensor();
    });
  }
  backward();
  return {.norm = std::sqrt(squares), .clipped = false, .non_finite = non_finite};
}

}  // namespace sst::optim
