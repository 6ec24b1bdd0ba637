#include "run/training_step.hpp"

#include <cmath>

#include "optim/clip.hpp"

namespace sst::run {
namespace {

/// Looked for only once something is wrong: the first tensor to blame.
std::string blame(Assembly& assembly, const std::string& first_bad_gradient) {
  for (const auto& [name, tensor] : nn::stored_tensors(assembly.task->model()))
    if (!tensor.isfinite().all().item<bool>()) return "'" + name + "' is not finite";
  if (first_bad_gradient.empty()) return "the loss is not finite, though every weight and gradient is";
  return "the gradient of '" + first_bad_gradient + "' is not finite";
}

}  // namespace

StepResult training_step(Assembly& assembly, int64_t step) {
  auto& optimizer = *assembly.optimizer;
  optimizer.zero_grad();
  const nn::LossSum loss =
      assembly.task->loss({.training = true, .seed = static_cast<uint64_t>(assembly.run.seed), .step = step});
  (loss.sum / loss.count).backward();
  StepResult result;
  result.loss = loss.sum.item<double>() / loss.count;

  assembly.method->before_step(step, optimizer);
  if (assembly.optim.l2_penalty > 0) optim::add_l2_penalty_(optimizer.parameters(), assembly.optim.l2_penalty);
  const auto gradient = optim::clip_gradients_(optimizer.parameters(), assembly.optim.grad_clip);
  result.gradient_norm = gradient.norm;
  if (!std::isfinite(result.loss) || !gradient.non_finite.empty()) {
    result.problem = blame(assembly, gradient.non_finite);
    return result;
  }

  const double shape = assembly.schedule(step) * assembly.plateau->factor();
  const auto restart = assembly.method->rate_factors(step);
  result.rates = {.base = assembly.optim.lr * shape * restart.base,
                  .low_rank = assembly.method->low_rank_lr().value_or(assembly.optim.lr) * shape * restart.low_rank};
  optimizer.step(result.rates);
  assembly.method->after_step(step, optimizer);
  return result;
}

}  // namespace sst::run
