#include "run/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/text.hpp"
#include "data/features.hpp"
#include "data/graph_checks.hpp"
#include "data/graph_folder.hpp"
#include "methods/registry.hpp"
#include "optim/registry.hpp"
#include "optim/schedule.hpp"
#include "run/options.hpp"
#include "tasks/graph_task.hpp"
#include "tasks/registry.hpp"

namespace sst::run {
namespace {

using recipe::Diagnostics;
using recipe::Recipe;

void check_stop_condition(const Recipe& recipe, Diagnostics& diagnostics) {
  const auto train = recipe.read<TrainOptions>("train");
  if (!train.max_steps && !train.max_epochs && !train.max_time && recipe.sound("train"))
    diagnostics.error("E-stop", recipe.place("train"), "nothing says when training ends",
                      "give train.max_steps, train.max_epochs or train.max_time");
  if (!train.full_batch)
    diagnostics.error("E-full-batch", recipe.place("train.full_batch"),
                      "'train.full_batch' is false, but graph tasks see the whole graph in every step", "leave it out");
}

void check_interval(const Recipe& recipe, Diagnostics& diagnostics, const std::string& key) {
  if (!recipe.has(key) || !recipe.sound(key)) return;
  const auto interval = recipe.value<recipe::Interval>(key);
  if (interval.unit == recipe::Interval::Unit::kToken)
    diagnostics.error("E-interval", recipe.place(key), "'" + key + "' counts tokens, but graphs have none",
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
  const auto best = recipe.read<CheckpointOptions>("checkpoint").best_metric;
  const auto& computed = eval.metrics.empty() ? task.metrics : eval.metrics;
  std::vector<std::string> names;
  for (const std::string& split : eval.splits)
    for (const std::string& metric : computed) names.push_back(split + "/" + metric);
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
    optim::check_rule_fits(options.name, /*lorentz_model=*/true, task.has_points);
  } catch (const UserError& error) {
    diagnostics.error("E-optimizer", recipe.place("optim.name"), error.what(), error.hint());
  }
  const auto schedule = recipe.read<optim::ScheduleOptions>("schedule");
  const auto train = recipe.read<TrainOptions>("train");
  const int64_t steps = std::min(train.max_steps.value_or(INT64_MAX), train.max_epochs.value_or(INT64_MAX));
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

/// The linear maps the recipe's model would ask for, recorded by building the encoder on no data at all.
struct RecordedMaps {
  std::vector<nn::LinearSpec> specs;
  std::vector<std::string> names;
};

RecordedMaps record_maps(const tasks::GraphRecipe& graph, int64_t features, bool node_classification) {
  RecordedMaps maps;
  const nn::Build build{.linear = [&](const nn::LinearSpec& spec) {
    maps.specs.push_back(spec);
    maps.names.push_back(spec.name);
    return std::make_shared<nn::DenseLinear>(spec);
  }};
  const models::HybonetEncoder encoder(graph.model, features, graph.model.num_layers - (node_classification ? 1 : 0),
                                       build);
  return maps;
}

void check_layers(const Recipe& recipe, Diagnostics& diagnostics, std::optional<int64_t> features) {
  if (!recipe.sound("model") || !recipe.sound("method")) return;
  const auto graph = tasks::GraphRecipe::from(recipe);
  const bool node_classification = recipe.text("task") == "node_classification";
  if (graph.model.num_layers - (node_classification ? 1 : 0) < 1) {
    diagnostics.error("E-layers", recipe.place("model.num_layers"),
                      "'model.num_layers' is 1, which leaves no graph layer",
                      "node classification counts its head as a layer: give at least 2");
    return;
  }
  if (!recipe.has("method.rank")) return;
  // Without the data the first layer's width is unknown; the others say enough.
  const auto maps = record_maps(graph, features.value_or(graph.model.hidden_size), node_classification);
  const auto rank = recipe.value<int64_t>("method.rank");
  const auto method =
      methods::registry().at(recipe.text("method.name")).make(recipe, {.hidden_size = graph.model.hidden_size});
  for (const auto& spec : maps.specs) method->make_linear(spec);
  const auto replaced = method->replaced();
  if (replaced.empty())
    diagnostics.error("E-targets", recipe.place("method.targets"), "'method.targets' matches no linear map",
                      "the model has " + join(maps.names, ", "));
  for (const auto& spec : maps.specs) {
    if (std::find(replaced.begin(), replaced.end(), spec.name) == replaced.end()) continue;
    const int64_t largest = std::min(spec.in, spec.out);
    if (rank <= largest) continue;
    diagnostics.error("E-rank", recipe.place("method.rank"),
                      fmt::format("'method.rank' is {}, but layer {} is {} x {}", rank, spec.name, spec.out, spec.in),
                      fmt::format("use at most {}", largest));
    diagnostics.note(recipe.place("model.hidden_size"),
                     "'model.hidden_size: " + recipe.text("model.hidden_size") + "' comes from here");
    return;
  }
}

/// A folder that was prepared without the file of features, as long as that file cannot be had.
bool lacks_features(const std::filesystem::path& folder) {
  try {
    return data::read_graph_folder(folder).feature_count == 0;
  } catch (const Error&) {
    return false;  // the full check says what is wrong
  }
}

/// Nothing when the data are absent or wrong; else the width of a feature row with its time entry.
std::optional<int64_t> check_data(const Recipe& recipe, Diagnostics& diagnostics) {
  if (!recipe.sound("data")) return std::nullopt;
  const auto graph = tasks::GraphRecipe::from(recipe);
  const auto task = recipe.text("task") == "node_classification" ? data::GraphTask::kNodeClassification
                                                                 : data::GraphTask::kLinkPrediction;
  auto problems = data::check_graph_options(graph.data, task);
  if (problems.empty()) {
    const auto folder = data::graph_folder(graph.data, graph.data_root);
    if (folder && !std::filesystem::exists(*folder)) {
      diagnostics.note(recipe.place("data.dir"),
                       "there is no folder '" + folder->string() +
                           "', so the data were not checked; data_tools/prepare_graphs.py makes it");
      return std::nullopt;
    }
    if (folder && graph.data.use_feats && lacks_features(*folder)) {
      diagnostics.note(recipe.place("data.dir"), "'" + folder->string() +
                                                     "' holds no features, so training will end at " +
                                                     "once; data_tools/README.md says where they come from");
      return std::nullopt;
    }
    problems = data::check_graph_files(graph.data, graph.data_root, task);
  }
  for (const auto& problem : problems)
    diagnostics.error(problem.id, recipe.place(problem.key), problem.message, problem.hint);
  if (!problems.empty()) return std::nullopt;
  const auto loaded = data::load_graph(graph.data, graph.data_root, task);
  return data::prepare_features(loaded, graph.data, task, loaded.edges).count() + 1;  // and the time entry
}

void check_loss(const Recipe& recipe, Diagnostics& diagnostics) {
  if (!recipe.sound("train")) return;
  const std::string loss = recipe.text("train.loss"), task = recipe.text("task");
  const std::string other = task == "node_classification" ? "fermi_dirac" : "cross_entropy";
  if (loss == other)
    diagnostics.error(
        "E-loss", recipe.place("train.loss"), "'train.loss' is " + loss + ", which " + task + " does not know",
        "use margin" + std::string(task == "node_classification" ? " or cross_entropy" : " or fermi_dirac"));
}

}  // namespace

void check_recipe(const Recipe& recipe, Diagnostics& diagnostics) {
  if (!recipe.sound("task") || !recipe.sound("method.name")) return;  // nothing else has a meaning yet
  const auto& task = tasks::registry().at(recipe.text("task"));
  check_stop_condition(recipe, diagnostics);
  for (const char* key : {"eval.every", "checkpoint.every", "checkpoint.keep_every", "logging.every"})
    check_interval(recipe, diagnostics, key);
  check_selection(recipe, diagnostics, task);
  check_optimizer(recipe, diagnostics, task);
  check_loss(recipe, diagnostics);
  check_layers(recipe, diagnostics, check_data(recipe, diagnostics));
}

}  // namespace sst::run
