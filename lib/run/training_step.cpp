#include "run/training_step.hpp"

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "optim/backward_updates.hpp"
#include "optim/clip.hpp"
#include "run/layer_statistics.hpp"
#include "run/weight_statistics.hpp"

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

nn::Pass training_pass(const Assembly& assembly, const tasks::StepShape& shape, int64_t step) {
  return {.training = true,
          .seed = static_cast<uint64_t>(assembly.run.seed),
          .step = step,
          .loss_scale = shape.count > 0 ? 1 / shape.count : 1,
          .compute = assembly.precision.compute_type()};
}

/// A backward pass for nothing but to see which tensors it reaches.
void rehearse(Assembly& assembly, const nn::Pass& pass, int64_t step) {
  assembly.task->loss(pass, 0).sum.backward();
  assembly.exchange->learn(*assembly.optimizer);
  assembly.method->before_step(step, *assembly.optimizer);
  assembly.optimizer->zero_grad();
}

/// Loss and gradients of one part, played where they are recorded. `count` is what all losses are divided by, where the shape
/// of the step does not say it before.
nn::LossSum part_of_step(Assembly& assembly, const nn::Pass& pass, int64_t part, const tasks::StepShape& shape,
                         double& count) {
  if (assembly.recording) return assembly.recording->run(pass, part, shape.parts, count);
  nn::LossSum loss = assembly.task->loss(pass, part);
  if (shape.count <= 0) count = loss.count;
  const auto backward = [&] { (loss.sum / count).backward(); };
  if (part + 1 == shape.parts)
    assembly.exchange->last_pass(backward);
  else
    backward();
  return loss;
}

/// Losses and gradients of all parts, summed and divided once.
void accumulate_gradients(Assembly& assembly, int64_t step, StepResult& result) {
  const auto shape = assembly.task->step_shape(step);
  const nn::Pass pass = training_pass(assembly, shape, step);
  if (assembly.exchange->needs_rehearsal(*assembly.optimizer)) rehearse(assembly, pass, step);
  std::array<double, 2> sums{};  // loss and nll
  double count = shape.count;
  for (int64_t part = 0; part < shape.parts; ++part) {
    const nn::LossSum loss = part_of_step(assembly, pass, part, shape, count);
    const auto value = loss.sum.item<double>();
    sums[0] += value;
    sums[1] += loss.nll.value_or(value);
  }
  assembly.group->sum_(sums);
  result.loss = sums[0] / count;
  result.nll = sums[1] / count;
  result.items = count;
}

/// schedule.name: match_effective. The factors of single tensors stay with the optimizer until the next step.
optim::LearningRates matched_rates(Assembly& assembly, int64_t step) {
  auto rates = assembly.matched->at(step, assembly.optimizer->parameters());
  assembly.optimizer->set_rate_factors(std::move(rates.factors));
  return rates.rates;
}

optim::LearningRates rates_at(Assembly& assembly, int64_t step) {
  if (assembly.matched) return matched_rates(assembly, step);
  const double shape = assembly.schedule(step) * assembly.plateau->factor();
  // A schedule with a cycle has the restart warm-ups in it; the method's own would be a second ramp on top.
  const auto restart = assembly.schedule_restarts ? methods::RateFactors{} : assembly.method->rate_factors(step);
  return {.base = assembly.optim.lr * shape * restart.base,
          .low_rank = assembly.method->low_rank_lr().value_or(assembly.optim.lr) * shape * restart.low_rank};
}

/// What a processor that miscalculates does, where a test asks for it.
void drift_where_asked(const Assembly& assembly) {
  if (!fault_point("train.weights.rank" + std::to_string(assembly.group->rank()))) return;
  const torch::NoGradGuard no_grad;
  assembly.optimizer->parameters().front().tensor.add_(1e-4);
}

/// A step whose updates happen within backward. Only a loss that is not finite leaves the model as it was: of gradients
/// that are not, some tensors have moved before the first bad one was met.
StepResult step_within_backward(Assembly& assembly, int64_t step, int64_t data_step) {
  const auto shape = assembly.task->step_shape(data_step);
  if (shape.parts != 1)
    throw UserError(
        "a step has " + std::to_string(shape.parts) +
            " micro-batches, but this method updates each tensor within backward, once per step",
        "give a smaller train.global_batch_tokens or a larger train.micro_batch, or method.layerwise: false");
  StepResult result;
  result.rates = rates_at(assembly, step);
  const nn::LossSum loss = assembly.task->loss(training_pass(assembly, shape, data_step), 0);
  const double count = shape.count > 0 ? shape.count : loss.count;
  result.loss = loss.sum.item<double>() / count;
  result.nll = loss.nll ? *loss.nll / count : result.loss;
  result.items = count;
  if (!std::isfinite(result.loss)) {
    blame(assembly, "", result);
    return result;
  }
  const auto gradient =
      optim::step_within_backward(*assembly.optimizer, result.rates, [&] { (loss.sum / count).backward(); });
  result.gradient_norm = gradient.norm;
  if (!gradient.non_finite.empty()) blame(assembly, gradient.non_finite, result);
  return result;
}

}  // namespace

StepResult gradient_step(Assembly& assembly, int64_t step, int64_t data_step, bool measure_layers) {
  auto& optimizer = *assembly.optimizer;
  optimizer.zero_grad();
  if (assembly.method->updates_within_backward()) return step_within_backward(assembly, step, data_step);
  StepResult result;
  fault_point("train.step.rank" + std::to_string(assembly.group->rank()));
  accumulate_gradients(assembly, data_step, result);

  assembly.method->before_step(step, optimizer);
  assembly.exchange->sum_late(optimizer);
  if (fault_point("train.gradient")) optimizer.parameters().front().tensor.mutable_grad().fill_(NAN);
  if (assembly.optim.l2_penalty > 0) optim::add_l2_penalty_(optimizer.parameters(), assembly.optim.l2_penalty);
  if (measure_layers) result.gradient_norms = gradient_norms(optimizer);
  const auto gradient = optim::clip_gradients_(optimizer.parameters(), assembly.optim.grad_clip, optimizer.sharers());
  result.gradient_norm = gradient.norm;
  result.clipped = gradient.clipped;
  if (!std::isfinite(result.loss) || !gradient.non_finite.empty()) blame(assembly, gradient.non_finite, result);
  return result;
}

void end_step(Assembly& assembly, int64_t step) {
  assembly.method->after_step(step, *assembly.optimizer);
  assembly.averages.update_(assembly.task->model(), step);
}

void apply_step(Assembly& assembly, int64_t step, StepResult& result, bool measure_weights) {
  auto& optimizer = *assembly.optimizer;
  if (!assembly.method->updates_within_backward()) {
    result.rates = rates_at(assembly, step);
    std::optional<WeightMeter> meter;
    if (measure_weights) meter.emplace(optimizer.parameters());
    optimizer.step(result.rates);
    if (meter) result.weights = meter->fields(optimizer.parameters(), result.rates);
  }
  end_step(assembly, step);
  drift_where_asked(assembly);
}

StepResult training_step(Assembly& assembly, int64_t step) {
  StepResult result = gradient_step(assembly, step, step);
  if (result.problem.empty()) apply_step(assembly, step, result);
  return result;
}

}  // namespace sst::run
