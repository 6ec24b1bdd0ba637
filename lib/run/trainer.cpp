#include "run/trainer.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/log.hpp"
#include "run/layer_statistics.hpp"
#include "run/memory.hpp"

namespace sst::run {

Trainer::End Trainer::run() {
  const auto& assembly = parts_.assembly;
  reported_step_ = state_.step;
  if (state_.step == 0 && assembly.eval.at_start) evaluate();
  while (!training_is_over()) {
    const Stopwatch watch;
    take_step();
    ++state_.step;
    times_.training += watch.seconds();
    state_.elapsed_s += watch.seconds();
    parts_.progress.advance(state_.step);
    parts_.each_step(watch.seconds() + save_s_);

    if (is_due(assembly.logging.every, since_report_.seconds(), state_.step)) report_training();
    if (!last_.gradient_norms.empty()) report_layers();
    if (is_due(assembly.eval.every, since_evaluation_.seconds(), state_.step)) evaluate();
    if (is_due(assembly.checkpoint.every, since_save_.seconds(), state_.step) || parts_.save_requested()) save();
    if (parts_.stop_requested()) {
      save();
      return End::kStopped;
    }
  }
  save();
  return End::kFinished;
}

void Trainer::take_step() {
  auto& assembly = parts_.assembly;
  last_ = training_step(assembly, state_.step,
                        is_due(assembly.logging.per_layer, since_layers_.seconds(), state_.step + 1));
  if (!last_.problem.empty()) {
    // Skipped; after too many in a row the run has diverged.
    const std::string problem = last_.problem + " at step " + std::to_string(state_.step + 1);
    if (++state_.skipped_steps > assembly.train.nonfinite_patience)
      throw DivergedError(problem,
                          "lower optim.lr, set optim.grad_clip, or raise train.nonfinite_patience; the last good "
                          "checkpoint is kept");
    log::warning("{}: the step is skipped", problem);
    return;
  }
  state_.skipped_steps = 0;
  for (const auto& event : assembly.method->take_events()) {
    MetricFields fields;
    for (const auto& [name, value] : event.values) fields.emplace_back(name, value);
    parts_.journal.event(state_.step + 1, event.name, fields);
    if (const auto found = event.values.find("method/svd_s"); found != event.values.end())
      times_.decomposition += found->second;
  }
}

void Trainer::report_training() {
  const auto& assembly = parts_.assembly;
  const double seconds = since_report_.seconds();
  TrainStatus status;
  status.step = state_.step;
  status.epoch = epoch();
  status.loss_nats = last_.loss;
  status.lr = last_.rates.base;
  status.grad_norm = last_.gradient_norm;
  const int64_t tokens_per_step = assembly.workload.step.tokens;
  if (tokens_per_step > 0) {
    status.tokens = state_.step * tokens_per_step;
    status.ppl_token = std::exp(last_.loss);
    if (seconds > 0)
      status.tokens_per_s = static_cast<double>((state_.step - reported_step_) * tokens_per_step) / seconds;
  } else if (seconds > 0) {
    status.epochs_per_s = static_cast<double>(state_.step - reported_step_) /
                          static_cast<double>(assembly.workload.step.per_epoch) / seconds;
  }
  status.memory_bytes = static_cast<double>(peak_resident_bytes());
  if (last_.rates.low_rank != last_.rates.base) status.more["optim/lr_low_rank"] = last_.rates.low_rank;
  parts_.journal.train(state_.step, journal_fields(status));
  parts_.progress.train(status);
  reported_step_ = state_.step;
  since_report_.restart();
}

void Trainer::report_layers() {
  parts_.journal.layers(state_.step, layer_fields(parts_.assembly.task->model(), last_.gradient_norms));
  since_layers_.restart();
}

void Trainer::evaluate() {
  const auto& assembly = parts_.assembly;
  assembly.task->model().eval();
  for (const std::string& split : assembly.eval.splits) {
    const Stopwatch watch;
    Evaluation evaluation;
    evaluation.step = state_.step;
    evaluation.split = split;
    evaluation.metrics = assembly.task->evaluate(split, evaluation_pass(assembly));
    evaluation.seconds = watch.seconds();
    times_.evaluation += evaluation.seconds;

    const auto& selected = parts_.best.options().metric;  // "valid/f1"
    if (selected.rfind(split + "/", 0) == 0) {
      const double value = evaluation.metrics.at(selected.substr(split.size() + 1));
      const bool improved = parts_.best.observe(state_.step, value);
      assembly.plateau->observe(improved);
      if (improved) best_ = capture(assembly, parts_.recipe, state_, parts_.best);
      evaluation.best_metric = selected;
      evaluation.best = parts_.best.best().value_or(value);
      evaluation.best_step = parts_.best.best_step();
    }
    parts_.journal.eval(state_.step, journal_fields(evaluation));
    parts_.progress.evaluated(evaluation);
  }
  since_evaluation_.restart();
}

void Trainer::save() {
  if (saved_step_ == state_.step) return;
  const Stopwatch watch;
  const auto& assembly = parts_.assembly;
  const bool this_is_best = parts_.best.best() && parts_.best.best_step() == state_.step;
  if (best_ && !this_is_best) parts_.store.save(*best_, {.score = parts_.best.best()});
  const int64_t forever = assembly.checkpoint.keep_every.in_steps(assembly.workload.step).value_or(0);
  parts_.store.save(capture(assembly, parts_.recipe, state_, parts_.best),
                    {.score = this_is_best ? parts_.best.best() : std::nullopt,
                     .keep_forever = forever > 0 && state_.step % forever == 0});
  best_.reset();
  saved_step_ = state_.step;
  save_s_ = watch.seconds();
  times_.saving += save_s_;
  parts_.progress.saved(save_s_);
  since_save_.restart();
}

bool Trainer::is_due(const recipe::Interval& interval, double seconds_since, int64_t step) const {
  if (interval.unit == recipe::Interval::Unit::kSecond) return seconds_since >= static_cast<double>(interval.count);
  const int64_t steps = interval.in_steps(parts_.assembly.workload.step).value_or(0);
  return steps > 0 && step % steps == 0;
}

bool Trainer::training_is_over() const {
  const auto& assembly = parts_.assembly;
  if (assembly.total_steps > 0 && state_.step >= assembly.total_steps) return true;
  if (assembly.train.max_time && state_.elapsed_s >= static_cast<double>(assembly.train.max_time->seconds)) return true;
  // HyboNet's rule: the 0-based number of the last epoch has to exceed min_epochs.
  return parts_.best.patience_is_spent() && epoch() - 1 > static_cast<double>(assembly.eval.min_epochs);
}

double Trainer::epoch() const {
  return static_cast<double>(state_.step) / static_cast<double>(parts_.assembly.workload.step.per_epoch);
}

}  // namespace sst::run
