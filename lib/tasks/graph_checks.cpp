#include "tasks/graph_checks.hpp"

#include <filesystem>
#include <optional>

#include "core/file.hpp"
#include "data/features.hpp"
#include "data/graph_checks.hpp"
#include "data/graph_folder.hpp"
#include "tasks/graph_task.hpp"

namespace sst::tasks {
namespace {

using recipe::Diagnostics;
using recipe::Recipe;

/// A folder that was prepared without the file of features, as long as that file cannot be had.
bool lacks_features(const std::filesystem::path& folder) {
  try {
    return data::read_graph_folder(folder).feature_count == 0;
  } catch (const Error&) {
    return false;
  }
}

/// Nothing when the data are absent or wrong; else the width of a feature row with its time entry.
std::optional<int64_t> check_data(const Recipe& recipe, Diagnostics& diagnostics, data::GraphTask task) {
  if (!recipe.sound("data")) return std::nullopt;
  const auto graph = GraphRecipe::from(recipe);
  const auto report = [&](const std::vector<data::Problem>& problems) {
    for (const auto& problem : problems)
      diagnostics.error(problem.id, recipe.place(problem.key), problem.message, problem.hint);
    return !problems.empty();
  };
  if (report(data::check_graph_options(graph.data, task))) return std::nullopt;
  const auto folder = data::graph_folder(graph.data, graph.data_root);
  if (folder && !path_exists(*folder)) {
    diagnostics.note(recipe.place("data.dir"),
                     "there is no folder '" + folder->string() +
                         "', so the data were not checked; data_tools/prepare_graphs.py makes it");
    return std::nullopt;
  }
  const auto checked = data::check_graph_files(graph.data, graph.data_root, task);
  if (checked.graph) return data::prepare_features(*checked.graph, graph.data, task, checked.graph->edges).count() + 1;
  if (folder && graph.data.use_feats && lacks_features(*folder)) {
    diagnostics.note(recipe.place("data.dir"), "'" + folder->string() +
                                                   "' holds no features, so training will end at once; "
                                                   "data_tools/README.md says where they come from");
    return std::nullopt;
  }
  report(checked.problems);
  return std::nullopt;
}

void check_loss(const Recipe& recipe, Diagnostics& diagnostics, data::GraphTask task) {
  if (!recipe.sound("train")) return;
  if (!recipe.value<bool>("train.full_batch"))
    diagnostics.error("E-full-batch", recipe.place("train.full_batch"),
                      "'train.full_batch' is false, but graph tasks see the whole graph in every step", "leave it out");
  const bool nodes = task == data::GraphTask::kNodeClassification;
  const std::string loss = recipe.text("train.loss"), own = nodes ? "cross_entropy" : "fermi_dirac";
  if (loss != "margin" && loss != own)
    diagnostics.error("E-loss", recipe.place("train.loss"),
                      "'train.loss' is " + loss + ", which " + recipe.text("task") + " does not know",
                      "use margin or " + own);
}

void check_precision(const Recipe& recipe, Diagnostics& diagnostics) {
  if (!recipe.sound("precision")) return;
  const std::string params = recipe.text("precision.params"), compute = recipe.text("precision.compute");
  if (params == "bf16" || compute != params)
    diagnostics.error("E-precision", recipe.place("precision"),
                      "graph tasks do not know weights in " + params + " with products in " + compute,
                      "use precision: fp32 or fp64");
}

}  // namespace

std::vector<nn::LinearSpec> check_graph_recipe(const Recipe& recipe, Diagnostics& diagnostics, data::GraphTask task) {
  check_loss(recipe, diagnostics, task);
  check_precision(recipe, diagnostics);
  const auto features = check_data(recipe, diagnostics, task);
  if (!recipe.sound("model")) return {};
  const auto model = GraphRecipe::from(recipe).model;
  const int64_t layers = encoder_layers(model, task);
  if (layers < 1) {
    diagnostics.error("E-layers", recipe.place("model.num_layers"),
                      "'model.num_layers' is 1, which leaves no graph layer",
                      "node classification counts its head as a layer: give at least 2");
    return {};
  }
  // Without the data the first layer's width is unknown; the others say enough.
  return nn::recorded_maps([&](const nn::Build& build) {
    models::HybonetEncoder(model, features.value_or(model.hidden_size), layers, build);
  });
}

}  // namespace sst::tasks
