#include "run/training_step.hpp"

#include <cmath>

#include "optim/clip.hpp"
#include "run/layer_statistics.hpp"

namespace sst::run {
namespace {

/// Looked for only once something is wrong: the first tensor to blame.
void blame(Assembly& assembly, const std::string& first_bad_gradient, StepResult& result) {
  for (const auto& [name, tensor] : nn::stored_tensors(assembly.task->model()))
    if (!tensor.isfinite().all().item<bool>()) {
      result.problem = "'" + name + "' is not finite";
      result.weights_are_bad = true;
      return;
    }
  result.problem = first_bad_gradient.empty() ? "the loss is not finite, though every weight and gradient is"
                                              : "the gradient of '" + first_bad_gradient + "' is not finite";
}

/// Losses and gradients of all parts, summed and divided once.
void accumulate_gradients(Assembly& assembly, int64_t step, StepResult& result) {
  const auto shape = assembly.task->step_shape(step);
  nn::Pass pass{.training = true,
                .seed = static_cast<uint64_t>(assembly.run.seed),
                .step = step,
                .loss_scale = shape.count > 0 ? 1 / shape.count : 1,
                .compute = assembly.precision.compute_type()};
  double sum = 0, nll = 0, count = shape.count;
  for (int64_t part = 0; part < shape.parts; ++part) {
    const nn::LossSum loss = assembly.task->loss(pass, part);
    if (shape.count <= 0) count = loss.count;
    (loss.sum / count).backward();
    const auto value = loss.sum.item<double>();
    sum += value;
    nll += loss.nll.value_or(value);
  }
  result.loss = sum / count;
  result.nll = nll / count;
  result.items = count;
}

}  // namespace

StepResult gradient_step(Assembly& assembly, int64_t step, int64_t data_step, bool measure_layers) {
  auto& optimizer = *assembly.optimizer;
  optimizer.zero_grad();
  StepResult result;
  accumulate_gradients(assembly, data_step, result);

  assembly.method->before_step(step, optimizer);
  if (assembly.optim.l2_penalty > 0) optim::add_l2_penalty_(optimizer.parameters(), assembly.optim.l2_penalty);
  if (measure_layers) result.gradient_norms = gradient_norms(optimizer.parameters());
  const auto gradient = optim::clip_gradients_(optimizer.parameters(), assembly.optim.grad_clip);
  result.gradient_norm = gradient.norm;
  if (!std::isfinite(result.loss) || !gradient.non_finite.empty()) blame(assembly, gradient.non_finite, result);
  return result;
}

void end_step(Assembly& assembly, int64_t step) {
  assembly.method->after_step(step, *assembly.optimizer);
  assembly.averages.update_(assembly.task->model(), step);
}

void apply_step(Assembly& assembly, int64_t step, StepResult& result) {
  const double shape = assembly.schedule(step) * assembly.plateau->factor();
  const auto restart = assembly.method->rate_factors(step);
  result.rates = {.base = assembly.optim.lr * shape * restart.base,
                  .low_rank = assembly.method->low_rank_lr().value_or(assembly.optim.lr) * shape * restart.low_rank};
  assembly.optimizer->step(result.rates);
  end_step(assembly, step);
}

StepResult training_step(Assembly& assembly, int64_t step) {
  StepResult result = gradient_step(assembly, step, step);
  if (result.problem.empty()) apply_step(assembly, step, result);
  return result;
}

}  // namespace sst::run
