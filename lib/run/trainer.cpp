#include "run/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "run/evaluation_files.hpp"
#include "run/layer_statistics.hpp"
#include "run/memory.hpp"
#include "run/stop_signals.hpp"

namespace sst::run {
namespace {

/// Rollbacks to one checkpoint before the run counts as diverged: other data do not help.
constexpr int64_t kMostRollbacksInRow = 5;

SpikeWatch::Options spike_options(const TrainOptions& train) {
  return {.sigma = train.spike_sigma, .window = train.spike_window};
}

/// A checkpoint that is to be written.
struct Pending {
  checkpoint::Contents contents;
  checkpoint::Store::SaveOptions options;
};

MetricFields measured(const StepResult& result) {
  return {{"spike/loss", result.loss}, {"spike/grad_norm", result.gradient_norm}};
}

}  // namespace

Trainer::End Trainer::run() {
  const auto& assembly = parts_.assembly;
  reported_step_ = state_.step;
  if ((state_.step == 0 || state_.evaluation_due) && !goes_on_after_step()) return End::kStopped;
  while (!training_is_over()) {
    const Stopwatch watch;
    doing_ = "in step " + std::to_string(state_.step + 1);
    const bool went_on = take_step();
    state_.elapsed_s += watch.seconds();
    parts_.progress.advance(state_.step);
    writer_.check();
    parts_.each_step(watch.seconds() + capture_s_ + writer_.last_s());

    if (went_on) {
      if (is_due(assembly.logging.every, since_report_.seconds(), state_.step)) report_training();
      if (!last_.gradient_norms.empty()) report_layers();
      if (!last_.weights.empty()) {
        parts_.journal.weights(state_.step, last_.weights);
        since_weights_.restart();
      }
      check_sync();
      state_.evaluation_due = is_due(assembly.eval.every, since_evaluation_.seconds(), state_.step);
    }
    if (!goes_on_after_step()) return End::kStopped;
  }
  save(Save::kLast);
  finish_saving();
  return End::kFinished;
}

/// Evaluates and saves what is due between two steps. False where somebody asks to stop; then everything is on disk.
bool Trainer::goes_on_after_step() {
  if (state_.evaluation_due) evaluate();
  const bool was_cut_short = state_.evaluation_due;
  if (!was_cut_short && training_is_over()) return true;  // the last save is of another kind
  if (is_save_due()) save(Save::kPeriodic);
  if (parts_.save_requested()) save(Save::kAskedFor);
  if (!was_cut_short && !parts_.stop_requested()) return true;
  save(Save::kAskedFor);
  finish_saving();
  return false;
}

/// Processes that train one model must hold the same one.
void Trainer::check_sync() {
  const auto& assembly = parts_.assembly;
  if (assembly.group->is_alone() || !is_due(assembly.distributed.check_sync_every, since_sync_.seconds(), state_.step))
    return;
  since_sync_.restart();
  if (const std::string name = first_difference(*assembly.group, assembly.task->model()); !name.empty())
    throw DistributedError(fmt::format("after step {} the processes disagree about '{}'", state_.step, name),
                           "start again: the run goes on from the last checkpoint, the same for all; if it comes back, "
                           "are all of them the same program on the same kind of processor?");
}

/// Before the first step only where a rollback needs somewhere to go back to.
bool Trainer::is_save_due() const {
  const auto& assembly = parts_.assembly;
  if (state_.step == 0) return assembly.train.on_spike == "rollback";
  return is_due(assembly.checkpoint.every, since_save_.seconds(), state_.step);
}

bool Trainer::take_step() {
  const bool measures_layers = is_due(parts_.assembly.logging.per_layer, since_layers_.seconds(), state_.step + 1);
  last_ = gradient_step(parts_.assembly, state_.step, state_.data_step(), measures_layers);
  if (measures_layers) weights_before_ = map_weights(parts_.assembly.task->model());
  items_since_report_ += last_.items;
  const std::string spike = last_.problem.empty() ? find_spike() : "";
  const std::string problem = fmt::format("{} at step {}", last_.problem + spike, state_.step + 1);  // one is empty
  if (last_.problem.empty() && spike.empty()) {
    move();
  } else if (may_leave_out(!spike.empty())) {
    log::warning("{}: the step is skipped", problem);
    if (!spike.empty()) parts_.journal.event(state_.step + 1, "spike_skipped", measured(last_));
    end_step(parts_.assembly, state_.step);
  } else if (may_roll_back()) {
    roll_back(problem);
    return false;
  } else {
    throw DivergedError(
        problem, spike.empty() ? "lower optim.lr, set optim.grad_clip, or raise train.nonfinite_patience; the last "
                                 "good checkpoint is kept"
                               : "that has not been mended by leaving out data: lower optim.lr, or raise "
                                 "train.spike_sigma; the last good checkpoint is kept");
  }
  for (const auto& event : parts_.assembly.method->take_events()) {
    MetricFields fields;
    for (const auto& [name, value] : event.values) fields.emplace_back(name, value);
    parts_.journal.event(state_.step + 1, event.name, fields);
    if (const auto found = event.values.find("method/svd_s"); found != event.values.end())
      state_.times.decomposition += found->second;
    if (const auto found = event.values.find("method/svd_mib"); found != event.values.end())
      state_.decomposition_mib = std::max(state_.decomposition_mib, found->second);
  }
  ++state_.step;
  return true;
}

void Trainer::move() {
  state_.skipped_steps = state_.spikes_in_row = 0;
  const auto& train = parts_.assembly.train;
  if (train.on_spike != "ignore") state_.spike_watch.accept(last_.loss, last_.gradient_norm, spike_options(train));
  if (last_.clipped) ++state_.clipped_steps;
  apply_step(parts_.assembly, state_.step, last_,
             is_due(parts_.assembly.logging.weights, since_weights_.seconds(), state_.step + 1));
}

/// What is far above the steps before; "" when nothing is.
std::string Trainer::find_spike() const {
  const auto& train = parts_.assembly.train;
  if (train.on_spike == "ignore") return "";
  const auto scores = state_.spike_watch.scores(last_.loss, last_.gradient_norm, spike_options(train));
  if (std::max(scores.loss, scores.gradient_norm) <= train.spike_sigma) return "";
  return fmt::format(
      "the loss {:.4g} and the gradient norm {:.4g} lie {:+.1f} and {:+.1f} standard deviations from their means",
      last_.loss, last_.gradient_norm, scores.loss, scores.gradient_norm);
}

/// Counts the step among those left out, where the recipe allows one more in a row.
bool Trainer::may_leave_out(bool is_spike) {
  const auto& train = parts_.assembly.train;
  if (!is_spike) return !last_.weights_are_bad && ++state_.skipped_steps <= train.nonfinite_patience;
  // Weights that stand still and a whole window of spikes: the data have changed for good, or the run is lost.
  if (train.on_spike != "skip" || ++state_.spikes_in_row > train.spike_window) return false;
  ++state_.spikes;
  return true;
}

bool Trainer::may_roll_back() const {
  return parts_.assembly.train.on_spike == "rollback" && state_.rollbacks_in_row < kMostRollbacksInRow;
}

/// Everything is as at the last periodic save, but for the data since then, which are not seen again.
void Trainer::roll_back(const std::string& problem) {
  finish_saving();
  parts_.assembly.group->barrier();  // the leader has written it
  const TrainState now = state_;
  const std::string name = checkpoint::folder_name(now.periodic_save_step);
  state_ = restore(parts_.store.load(name), parts_.assembly, parts_.best);
  state_.elapsed_s = now.elapsed_s;
  state_.times = now.times;
  state_.spikes = now.spikes + 1;
  state_.rollbacks = now.rollbacks + 1;
  state_.rollbacks_in_row = now.rollbacks_in_row + 1;
  state_.data_left_out = now.data_step() + 1 - state_.step;
  best_.reset();  // a best one in memory is later than the checkpoint
  if (leads()) parts_.store.set_aside_after(state_.step);
  saved_step_ = state_.step;
  reported_step_ = std::min(reported_step_, state_.step);
  parts_.assembly.method->take_events();
  parts_.journal.rewind(state_.step);
  MetricFields fields = measured(last_);
  fields.emplace_back("spike/from_step", now.step + 1);
  parts_.journal.event(state_.step + 1, "rollback", fields);
  log::warning("{}: back to {}; the data of {} steps are left out", problem, name, now.step + 1 - state_.step);
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
  const auto& workload = assembly.workload;
  if (workload.step.tokens > 0) status.tokens = state_.step * workload.step.tokens;
  if (workload.counts_tokens) {
    status.ppl_token = std::exp(std::min(last_.nll, 100.0));
    if (seconds > 0) status.tokens_per_s = items_since_report_ / seconds;
  } else if (seconds > 0) {
    status.epochs_per_s =
        static_cast<double>(state_.step - reported_step_) / static_cast<double>(workload.step.per_epoch) / seconds;
  }
  status.memory_bytes = static_cast<double>(peak_memory_bytes(assembly.device));
  if (assembly.train.on_spike != "ignore") status.more["train/spikes"] = static_cast<double>(state_.spikes);
  if (assembly.optim.grad_clip > 0) status.more["optim/clipped_steps"] = static_cast<double>(state_.clipped_steps);
  if (last_.rates.low_rank != last_.rates.base) status.more["optim/lr_low_rank"] = last_.rates.low_rank;
  parts_.journal.train(state_.step, journal_fields(status));
  parts_.progress.train(status);
  reported_step_ = state_.step;
  items_since_report_ = 0;
  since_report_.restart();
}

void Trainer::report_layers() {
  parts_.journal.layers(state_.step,
                        layer_fields(parts_.assembly.task->model(), last_.gradient_norms, weights_before_));
  weights_before_.clear();
  since_layers_.restart();
}

/// Nothing is recorded before all splits are done: what a stop cuts short is made again when the run is resumed.
void Trainer::evaluate() {
  const auto& assembly = parts_.assembly;
  doing_ = "in an evaluation";
  const auto signatures = assembly.task->signatures();
  const auto between = [&] {
    if (parts_.stop_requested()) throw StopAsked();
  };
  std::vector<std::pair<Evaluation, tasks::Evaluated>> done;
  for (const std::string& split : assembly.eval.splits) {
    const Stopwatch watch;
    try {
      tasks::Evaluated result = run::evaluate(parts_.assembly, split, between);
      Evaluation evaluation{.step = state_.step,
                            .split = split,
                            .metrics = result.metrics,
                            .examples = result.examples,
                            .signatures = signatures};
      evaluation.seconds = watch.seconds();
      done.emplace_back(std::move(evaluation), std::move(result));
      state_.times.evaluation += watch.seconds();
    } catch (const StopAsked&) {
      state_.times.evaluation += watch.seconds();
      return;
    }
  }
  state_.evaluation_due = false;
  for (auto& [evaluation, result] : done) {
    if (leads()) write_evaluation(parts_.run_dir, evaluation, result);
    record(evaluation);
    if (!result.samples.empty()) log::info("{}", trim(samples_text(evaluation.split, result)));
  }
  since_evaluation_.restart();
}

/// An evaluation in the files and on the screen, and whether it is the best one.
void Trainer::record(Evaluation evaluation) {
  const auto& selected = parts_.best.options().metric;  // "valid/f1"
  if (selected.rfind(evaluation.split + "/", 0) == 0) {
    const double value = evaluation.metrics.at(selected.substr(evaluation.split.size() + 1));
    const bool improved = parts_.best.observe(state_.step, value);
    parts_.assembly.plateau->observe(improved);
    if (improved) best_ = captured();
    evaluation.best_metric = selected;
    evaluation.best = parts_.best.best().value_or(value);
    evaluation.best_step = parts_.best.best_step();
  }
  parts_.journal.eval(state_.step, journal_fields(evaluation));
  parts_.progress.evaluated(evaluation);
}

/// A copy of everything, on the leader, which alone writes; the others hand it the moments that they alone hold.
std::optional<checkpoint::Contents> Trainer::captured() const {
  if (leads()) return capture(parts_.assembly, parts_.recipe, state_, parts_.best);
  parts_.assembly.optimizer->state_dict();
  return std::nullopt;
}

void Trainer::save(Save kind) {
  if (saved_step_ == state_.step) return;
  doing_ = "while saving";
  finish_saving();  // the former copy is given free before the next is made
  const Stopwatch watch;
  const auto& assembly = parts_.assembly;
  const auto target = [&] {
    return assembly.train.on_spike == "rollback" ? std::optional(state_.periodic_save_step) : std::nullopt;
  };
  const bool this_is_best = parts_.best.best() && parts_.best.best_step() == state_.step;
  const bool weights_only = kind == Save::kLast && assembly.checkpoint.weights_only_at_end;
  std::vector<Pending> pending;
  if (best_ && !this_is_best)  // its rollback target is the former one: the next is not on disk yet
    pending.push_back(
        {std::move(*best_), {.score = parts_.best.best(), .weights_only = weights_only, .also_keep = target()}});
  best_.reset();
  if (kind == Save::kPeriodic) {
    state_.periodic_save_step = state_.step;
    state_.rollbacks_in_row = 0;
  }
  saved_step_ = state_.step;
  std::optional<checkpoint::Contents> now = captured();
  if (!now) return since_save_.restart();
  const int64_t forever = assembly.checkpoint.keep_every.in_steps(assembly.workload.step).value_or(0);
  pending.push_back({std::move(*now),
                     {.score = this_is_best ? parts_.best.best() : std::nullopt,
                      .keep_forever = forever > 0 && state_.step % forever == 0,
                      .weights_only = weights_only,
                      .also_keep = target()}});
  capture_s_ = watch.seconds();
  // Shared, since a std::function must be copyable; emptied, so that the copies go when they are written.
  writer_.start([&store = parts_.store, all = std::make_shared<std::vector<Pending>>(std::move(pending))] {
    for (Pending& one : std::exchange(*all, {})) store.save(one.contents, one.options);
  });
  state_.times.saving += watch.seconds();
  parts_.progress.saved(watch.seconds());
  since_save_.restart();
}

/// Waits for the save in flight, and throws what it threw.
void Trainer::finish_saving() {
  const Stopwatch watch;
  writer_.wait();
  state_.times.saving += watch.seconds();
  parts_.progress.saved(watch.seconds());
}

bool Trainer::is_due(const recipe::Interval& interval, double seconds_since, int64_t step) const {
  if (interval.unit == recipe::Interval::Unit::kSecond)
    return parts_.assembly.group->leader_says(seconds_since >= static_cast<double>(interval.count));
  const int64_t steps = interval.in_steps(parts_.assembly.workload.step).value_or(0);
  return steps > 0 && step % steps == 0;
}

bool Trainer::training_is_over() const {
  const auto& assembly = parts_.assembly;
  if (assembly.total_steps > 0 && state_.step >= assembly.total_steps) return true;
  if (assembly.train.max_time &&
      assembly.group->leader_says(state_.elapsed_s >= static_cast<double>(assembly.train.max_time->seconds)))
    return true;
  // HyboNet's rule: the 0-based number of the last epoch has to exceed min_epochs.
  return parts_.best.patience_is_spent() && epoch() - 1 > static_cast<double>(assembly.eval.min_epochs);
}

double Trainer::epoch() const {
  return static_cast<double>(state_.step) / static_cast<double>(parts_.assembly.workload.step.per_epoch);
}

}  // namespace sst::run
