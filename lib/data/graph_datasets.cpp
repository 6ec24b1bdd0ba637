#include "data/graph_datasets.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace sst::data {
namespace {

constexpr Proportions kLinkProportions{.valid = 0.05, .test = 0.10};
constexpr auto kNodes = GraphTask::kNodeClassification;
constexpr auto kLinks = GraphTask::kLinkPrediction;

/// Chami et al. 2019 (HGCN) and their published loaders.
const std::vector<GraphDataset>& all_datasets() {
  static const std::vector<GraphDataset> datasets{
      {.name = "cora", .tasks = {kNodes, kLinks}, .has_fixed_split = true},
      {.name = "pubmed", .tasks = {kNodes, kLinks}, .has_fixed_split = true},
      {.name = "airport",
       .tasks = {kNodes, kLinks},
       .node_proportions = {.valid = 0.15, .test = 0.15},
       .has_overlapping_split = true,
       .has_degree_columns = true,
       .node_features = 4},  // the fifth is what the classes were made from
      {.name = "disease_nc", .tasks = {kNodes}, .node_proportions = {.valid = 0.10, .test = 0.60}},
      {.name = "disease_lp", .tasks = {kLinks}},
      {.name = "sir_tree", .tasks = {kNodes, kLinks}, .node_proportions = {.valid = 0.10, .test = 0.60}},
  };
  return datasets;
}

}  // namespace

bool GraphDataset::supports(GraphTask task) const { return std::find(tasks.begin(), tasks.end(), task) != tasks.end(); }

const GraphDataset& graph_dataset(const std::string& name) {
  const auto& datasets = all_datasets();
  const auto found =
      std::find_if(datasets.begin(), datasets.end(), [&](const GraphDataset& entry) { return entry.name == name; });
  require(found != datasets.end(), "no graph data set is called '" + name + "'");
  return *found;
}

const GraphDataset& graph_dataset(const GraphDataOptions& options) {
  return graph_dataset(options.format == "sir_tree" ? "sir_tree" : options.dataset.value_or(""));
}

Proportions split_proportions(const GraphDataOptions& options, GraphTask task) {
  const Proportions published = task == kLinks ? kLinkProportions : graph_dataset(options).node_proportions;
  return {.valid = options.valid_prop.value_or(published.valid), .test = options.test_prop.value_or(published.test)};
}

std::string task_name(GraphTask task) { return task == kNodes ? "node_classification" : "link_prediction"; }

}  // namespace sst::data
