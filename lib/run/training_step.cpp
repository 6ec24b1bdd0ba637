#include "run/training_step.hpp"

#include <cmath>

#include "optim/clip.hpp"
#include "run/layer_statistics.hpp"

namespace sst::run {
namespace {

/// Looked for only once something is wrong: the first tensor to blame.
std::string blame(Assembly& assembly, const std::string& first_bad_gradient) {
  for (const auto& [name, tensor] : nn::stored_tensors(assembly.task->model()))
    if (!tensor.isfinite().all().item<bool>()) return "'" + name + "' is not finite";
  if (first_bad_gradient.empty()) return "the loss is not finite, though every weight and gradient is";
  return "the gradient of '" + first_bad_gradient + "' is not finite";
}

/// Losses and gradients of all parts, summed and divided once; the mean loss.
double accumulate_gradients(Assembly& assembly, int64_t step) {
  const auto shape = assembly.task->step_shape(step);
  nn::Pass pass{.training = true,
                .seed = static_cast<uint64_t>(assembly.run.seed),
                .step = step,
                .loss_scale = shape.count > 0 ? 1 / shape.count : 1,
                .compute = assembly.precision.compute_type()};
  double sum = 0, count = shape.count;
  for (int64_t part = 0; part < shape.parts; ++part) {
    const nn::LossSum loss = assembly.task->loss(pass, part);
    if (shape.count <= 0) count = loss.count;
    (loss.sum / count).backward();
    sum += loss.sum.item<double>();
  }
  return sum / count;
}

}  // namespace

StepResult training_step(Assembly& assembly, int64_t step, bool measure_layers) {
  auto& optimizer = *assembly.optimizer;
  optimizer.zero_grad();
  StepResult result;
  result.loss = accumulate_gradients(assembly, step);

  assembly.method->before_step(step, optimizer);
  if (assembly.optim.l2_penalty > 0) optim::add_l2_penalty_(optimizer.parameters(), assembly.optim.l2_penalty);
  if (measure_layers) result.gradient_norms = gradient_norms(optimizer.parameters());
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
