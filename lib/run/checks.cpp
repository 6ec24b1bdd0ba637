#include "run/checks.hpp"

#include <fmt/format.h>
#include <torch/cuda.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "checkpoint/store.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "methods/registry.hpp"
#include "optim/registry.hpp"
#include "optim/schedule.hpp"
#include "recipe/load.hpp"
#include "run/averages.hpp"
#include "run/options.hpp"
#include "run/precision.hpp"
#include "run/recipe_schema.hpp"
#include "tasks/registry.hpp"

namespace sst::run {
namespace {

using recipe::Diagnostics;
using recipe::Recipe;

void check_stop_condition(const Recipe& recipe, Diagnostics& diagnostics, const tasks::TaskEntry& task) {
  const auto train = recipe.read<TrainOptions>("train");
  if (!train.max_steps && !train.max_epochs && !train.max_train_tokens && !train.max_time && recipe.sound("train"))
    diagnostics.error("E-stop", recipe.place("train"), "nothing says when training ends",
                      "give train.max_steps, train.max_epochs, train.max_train_tokens or train.max_time");
  if (train.max_train_tokens && !task.counts_tokens)
    diagnostics.error("E-tokens", recipe.place("train.max_train_tokens"),
                      "'train.max_train_tokens' counts tokens, but " + recipe.text("task") + " has none",
                      "use train.max_steps or train.max_epochs");
}

void check_interval(const Recipe& recipe, Diagnostics& diagnostics, const std::string& key) {
  if (!recipe.has(key) || !recipe.sound(key)) return;
  const auto interval = recipe.value<recipe::Interval>(key);
  if (interval.unit == recipe::Interval::Unit::kToken)
    diagnostics.error("E-interval", recipe.place(key),
                      "'" + key + "' counts tokens, but " + recipe.text("task") + " has none",
                      "write a number of steps or epochs");
}

void check_selection(const Recipe& recipe, Diagnostics& diagnostics, const tasks::TaskEntry& task) {
  if (!recipe.sound("eval") || !recipe.sound("checkpoint")) return;
  const auto eval = recipe.read<EvalOptions>("eval");
  for (const std::string& metric : eval.metrics)
    if (std::find(task.metrics.begin(), task.metrics.end(), metric) == task.metrics.end())
      diagnostics.error("E-metric", recipe.place("eval.metrics"),
                        fmt::format("'{}' is no metric of {}", metric, recipe.text("task")),
                        "it knows " + join(task.metrics, ", "));
  for (const std::string& split : eval.splits)
    if (std::find(task.splits.begin(), task.splits.end(), split) == task.splits.end())
      diagnostics.error("E-splits", recipe.place("eval.splits"),
                        fmt::format("{} has no split '{}'", recipe.text("task"), split),
                        "it has " + join(task.splits, ", "));
  const auto best = recipe.read<CheckpointOptions>("checkpoint").best_metric;
  const auto& computed = eval.metrics.empty() ? task.metrics : eval.metrics;
  const auto decays = recipe.read<TrainOptions>("train").ema_decays();
  if (std::set<double>(decays.begin(), decays.end()).size() != decays.size())
    diagnostics.error("E-ema", recipe.place("train.ema"), "'train.ema' names a decay twice", "name each once");
  std::vector<std::string> names;
  for (const std::string& split : eval.splits)
    for (const std::string& metric : computed) {
      names.push_back(split + "/" + metric);
      for (const double decay : decays) names.push_back(split + "/" + average_name(decay) + "/" + metric);
    }
  if (best && std::find(names.begin(), names.end(), *best) == names.end()) {
    const auto nearest = did_you_mean(*best, names);
    diagnostics.error("E-best-metric", recipe.place("checkpoint.best_metric"),
                      "'checkpoint.best_metric' is " + *best + ", which is not computed during training",
                      nearest ? "did you mean '" + *nearest + "'?" : "one of " + join(names, ", "));
  }
}

void check_optimizer(const Recipe& recipe, Diagnostics& diagnostics, const tasks::TaskEntry& task) {
  if (!recipe.sound("optim") || !recipe.sound("schedule")) return;
  const auto options = recipe.read<optim::OptimOptions>("optim");
  try {
    const bool is_known = !task.space || recipe.sound("model");
    const tasks::Space space = task.space && is_known ? task.space(recipe) : tasks::Space{};
    if (is_known) optim::check_rule_fits(options.name, space.is_lorentz, space.has_points);
  } catch (const UserError& error) {
    diagnostics.error("E-optimizer", recipe.place("optim.name"), error.what(), error.hint());
  }
  const auto schedule = recipe.read<optim::ScheduleOptions>("schedule");
  const auto train = recipe.read<TrainOptions>("train");
  int64_t steps = train.max_steps.value_or(INT64_MAX);
  if (task.one_step_per_epoch) steps = std::min(steps, train.max_epochs.value_or(INT64_MAX));
  if (schedule.warmup_steps > 0 && schedule.warmup_steps >= steps)
    diagnostics.error(
        "E-warmup", recipe.place("schedule.warmup_steps"),
        fmt::format("'schedule.warmup_steps' is {}, but training ends after {} steps", schedule.warmup_steps, steps),
        "the rate would never reach its peak");
  if (options.lr > 0.3)
    diagnostics.warning("W-lr", recipe.place("optim.lr"),
                        fmt::format("'optim.lr' is {}, unusually high for {}", recipe.text("optim.lr"), options.name),
                        "rates between 1e-5 and 0.1 are usual");
}

/// `init.optimizer: keep` needs a checkpoint of the same method and optimizer. Whether its tensors fit is seen when they
/// are loaded.
void check_kept_states(const Recipe& recipe, Diagnostics& diagnostics, const methods::Method* method) {
  if (!recipe.sound("init") || method == nullptr) return;
  const auto init = recipe.read<InitOptions>("init");
  if (init.optimizer != "keep") return;
  const auto report = [&](const std::string& message, const std::string& hint) {
    diagnostics.error("E-keep", recipe.place("init.optimizer"), message, hint);
  };
  if (!init.from)
    return report("'init.optimizer' is keep, but there is no init.from",
                  "name the run or checkpoint whose states are to be kept, or use fresh");
  if (!path_exists(init.from->text))
    return diagnostics.note(recipe.place("init.from"),
                            "there is no '" + init.from->text +
                                "' yet, so its states were not checked; training will end at "
                                "once without it");
  try {
    const auto folder = checkpoint::find(init.from->text);
    if (checkpoint::read_note(folder).weights_only)
      return report("'" + folder.string() + "' holds no state of the optimizer",
                    "name another checkpoint, or use fresh");
    Diagnostics of_theirs;
    const auto theirs = recipe::load_text(read_file(folder / "recipe.yaml"), (folder / "recipe.yaml").string(), {},
                                          recipe_schema(), of_theirs);
    std::vector<std::string> keys = method->keys_of_states();
    keys.insert(keys.begin(), {"method.name", "optim.name"});
    for (const std::string& key : keys)
      if (theirs.has(key) && recipe.has(key) && theirs.text(key) != recipe.text(key))
        report(fmt::format("'init.optimizer' is keep, but {} was {} there and is {} here", key, theirs.text(key),
                           recipe.text(key)),
               "give the same one, or use fresh");
  } catch (const Error& error) {
    report(error.what(), error.hint());
  }
}

/// The method, for what it can say before a run; nothing when its keys are refused.
std::unique_ptr<methods::Method> made_method(const Recipe& recipe, Diagnostics& diagnostics) {
  if (!recipe.sound("method")) return nullptr;
  try {
    // A step of one token: here it only matters whether there are any.
    const int64_t tokens = tasks::registry().at(recipe.text("task")).counts_tokens ? 1 : 0;
    return methods::registry()
        .at(recipe.text("method.name"))
        .make(recipe, {.hidden_size = 1, .step = {.tokens = tokens}});
  } catch (const UserError& error) {
    diagnostics.error("E-method", recipe.place("method"), error.what(), error.hint());
    return nullptr;
  }
}

/// What the method demands of the rest of the recipe.
void check_method(const Recipe& recipe, Diagnostics& diagnostics, const methods::Method* method) {
  if (method == nullptr || !recipe.sound("optim")) return;
  const auto options = recipe.read<optim::OptimOptions>("optim");
  try {
    method->check_rule(*optim::make_rule(options));
  } catch (const UserError& error) {
    diagnostics.error("E-optimizer", recipe.place("optim.name"), error.what(), error.hint());
  }
  if (!method->updates_within_backward()) return;
  const auto refuse = [&](const std::string& key, const std::string& reason, const std::string& hint) {
    diagnostics.error(
        "E-layerwise", recipe.place(key),
        fmt::format("'{}' is {}, but the method frees each gradient within backward{}", key, recipe.text(key), reason),
        hint + ", or method.layerwise: false");
  };
  if (options.grad_clip > 0)
    refuse("optim.grad_clip", ", and clipping needs all of them at once", "set optim.grad_clip: 0");
  if (recipe.sound("train") && recipe.text("train.on_spike") == "skip")
    refuse("train.on_spike", ", so that a step cannot be left out once it is known", "use rollback");
  if (recipe.sound("logging") && recipe.text("logging.per_layer") != "off")
    refuse("logging.per_layer", ", and measuring needs them", "use logging.per_layer: off");
  if (recipe.sound("logging") && recipe.text("logging.weights") != "off")
    refuse("logging.weights", ", while what a step does to the weights is measured after it",
           "use logging.weights: off");
  if (recipe.sound("train") && recipe.value<int64_t>("train.nonfinite_patience") > 0)
    refuse("train.nonfinite_patience", ", so that a step cannot be left out once it is known", "set it to 0");
  for (const std::string unit : {"tokens", "sentences"}) {
    const std::string most = "train.max_" + unit, global = "train.global_batch_" + unit;
    if (recipe.has(most) && recipe.has(global) && recipe.text(most) != recipe.text(global))
      refuse(global, ", so that micro-batches of " + recipe.text(most) + " cannot add up",
             "set " + most + " to the same");
  }
  if (options.l2_penalty > 0) refuse("optim.l2_penalty", ", before a penalty could be added", "use optim.weight_decay");
  if (recipe.has("train.micro_batch") && recipe.has("train.global_batch_tokens") && recipe.sound("train") &&
      recipe.sound("data") && recipe.text("train.micro_batch") != "auto") {
    const int64_t sequences =
        recipe.value<int64_t>("train.global_batch_tokens") / recipe.value<int64_t>("data.seq_len");
    if (std::to_string(sequences) != recipe.text("train.micro_batch"))
      refuse("train.micro_batch", ", so that a step of " + std::to_string(sequences) + " sequences cannot add parts up",
             "use train.micro_batch: " + std::to_string(sequences));
  }
}

void check_targets(const Recipe& recipe, Diagnostics& diagnostics, const std::vector<nn::LinearSpec>& maps,
                   const methods::Method* method) {
  if (maps.empty() || method == nullptr || !recipe.has("method.rank")) return;
  std::vector<std::string> names;
  bool any = false;
  for (const auto& spec : maps) {
    names.push_back(spec.name);
    if (!method->replaces(spec)) continue;
    any = true;
    const int64_t rank = method->rank_of(spec), largest = std::min(spec.in, spec.out);
    if (rank <= largest) continue;
    const std::string key = recipe.has("method.ranks") ? "method.ranks" : "method.rank";
    diagnostics.error("E-rank", recipe.place(key),
                      fmt::format("'{}' is {}, but layer {} is {} x {}", key, rank, spec.name, spec.out, spec.in),
                      fmt::format("use at most {}", largest));
    if (recipe.has("model.hidden_size"))
      diagnostics.note(recipe.place("model.hidden_size"),
                       "'model.hidden_size: " + recipe.text("model.hidden_size") + "' comes from here");
    return;
  }
  if (!any)
    diagnostics.error("E-targets", recipe.place("method.targets"), "'method.targets' matches no linear map",
                      "the model has " + join(names, ", "));
}

void check_attention(const Recipe& recipe, Diagnostics& diagnostics) {
  const std::string dropout = "model.attention_dropout";
  if (!recipe.sound("runtime") || !recipe.sound("model") || !recipe.has(dropout)) return;
  if (recipe.text("runtime.attention") == "flash" && recipe.value<double>(dropout) > 0)
    diagnostics.error(
        "E-attention", recipe.place("runtime.attention"),
        "'runtime.attention' is flash, but with 'model.attention_dropout' the weights are spelt out: a fused "
        "kernel would draw its mask from a generator that no checkpoint knows",
        "use runtime.attention: auto, or model.attention_dropout: 0");
}

/// What is recorded is the same in every step: no draws, no shapes that change, nothing that the CPU does within backward.
void check_recording(const Recipe& recipe, Diagnostics& diagnostics, const methods::Method* method) {
  if (!recipe.sound("runtime") || !recipe.sound("model") || method == nullptr ||
      !recipe.value<bool>("runtime.cuda_graphs"))
    return;
  const auto refuse = [&](const std::string& key, const std::string& problem, const std::string& hint) {
    diagnostics.error("E-cuda-graphs", recipe.place(key), "'runtime.cuda_graphs' " + problem,
                      hint + ", or leave out runtime.cuda_graphs");
  };
  if (recipe.text("task") != "language_modeling")
    refuse("task", "records steps of one shape, which task " + recipe.text("task") + " has not",
           "use it for task: language_modeling");
  for (const std::string key : {"model.dropout", "model.attention_dropout", "method.dropout"})
    if (recipe.has(key) && recipe.value<double>(key) > 0)
      refuse(key, "would play the same mask in every step, but '" + key + "' is above 0", "set it to 0");
  if (const auto refusal = method->why_not_recorded()) refuse(refusal->key, refusal->problem, refusal->hint);
}

void check_rounding(const Recipe& recipe, Diagnostics& diagnostics, const methods::Method* method) {
  if (!recipe.sound("precision")) return;
  const auto precision = recipe.read<Precision>("precision");
  if (!precision.stochastic_rounding.value_or(false)) return;
  const auto refuse = [&](const std::string& problem, const std::string& hint) {
    diagnostics.error("E-precision", recipe.place("precision.stochastic_rounding"),
                      "'precision.stochastic_rounding' " + problem, hint + ", or leave it out");
  };
  if (precision.params != "bf16")
    refuse("is about weights in bf16, but precision.params is " + precision.params,
           "use {params: bf16, compute: bf16, stochastic_rounding: true}");
  if (method != nullptr && method->projects_gradients())
    refuse("rounds updates of whole tensors, but method " + recipe.text("method.name") + " projects gradients",
           "use another method.name");
  if (recipe.sound("optim") && optim::make_rule(recipe.read<optim::OptimOptions>("optim"))->moves_low_rank())
    refuse("rounds updates of whole tensors, but " + recipe.text("optim.name") + " moves U S V^T as one matrix",
           "use another optim.name");
}

/// A note, since the next machine may have what this one lacks.
void check_machine(const Recipe& recipe, Diagnostics& diagnostics) {
#if defined(__x86_64__) && defined(__GNUC__)
  if (!recipe.sound("precision") || recipe.text("precision.compute") != "bf16" || torch::cuda::is_available()) return;
  if (!__builtin_cpu_supports("avx512bf16"))
    diagnostics.note(recipe.place("precision"),
                     "this processor has no bfloat16 instructions: precision=fp32 is many times faster here");
#endif
}

}  // namespace

void check_recipe(const Recipe& recipe, Diagnostics& diagnostics) {
  if (!recipe.sound("task") || !recipe.sound("method.name")) return;  // nothing else has a meaning yet
  const auto& task = tasks::registry().at(recipe.text("task"));
  check_stop_condition(recipe, diagnostics, task);
  for (const char* key : {"eval.every", "checkpoint.every", "checkpoint.keep_every", "logging.every",
                          "logging.per_layer", "logging.weights"})
    if (!task.counts_tokens) check_interval(recipe, diagnostics, key);
  check_selection(recipe, diagnostics, task);
  check_optimizer(recipe, diagnostics, task);
  check_attention(recipe, diagnostics);
  const auto method = made_method(recipe, diagnostics);
  check_rounding(recipe, diagnostics, method.get());
  check_recording(recipe, diagnostics, method.get());
  check_kept_states(recipe, diagnostics, method.get());
  check_method(recipe, diagnostics, method.get());
  check_machine(recipe, diagnostics);
  check_targets(recipe, diagnostics, task.check(recipe, diagnostics), method.get());
}

}  // namespace sst::run
