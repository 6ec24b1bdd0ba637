#include "data/graph_checks.hpp"

#include <fmt/core.h>

#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "data/graph_datasets.hpp"
#include "data/graph_folder.hpp"
#include "data/non_edges.hpp"
#include "data/splits.hpp"

namespace sst::data {
namespace {

constexpr int64_t kMostLinkNodes = 92'000;  // 2^32 pairs, as many as the published shuffle takes

/// Which data set is meant, or why that can't be told.
void check_source(const GraphDataOptions& options, GraphTask task, std::vector<Problem>& problems) {
  if (options.format == "sir_tree") {
    if (options.dataset)
      problems.push_back({"data.dataset", "E-key", "'data.dataset' has no meaning with format sir_tree",
                          "remove it: the graph is made in memory"});
    if (options.dir)
      problems.push_back({"data.dir", "E-key", "'data.dir' has no meaning with format sir_tree",
                          "remove it: the graph is made in memory"});
    if (task == GraphTask::kLinkPrediction && options.nodes > kMostLinkNodes)
      problems.push_back(
          {"data.nodes", "E-nodes",
           fmt::format("'data.nodes' is {}, too many pairs to shuffle in link prediction", options.nodes),
           fmt::format("use at most {}", kMostLinkNodes)});
    return;
  }
  if (!options.dataset)
    problems.push_back({"data.dataset", "E-missing", "'data.dataset' is missing; format hgcn needs it",
                        "one of cora, pubmed, airport, disease_nc, disease_lp"});
  if (!options.dir)
    problems.push_back({"data.dir", "E-missing", "'data.dir' is missing; format hgcn needs the folder of the data set",
                        fmt::format("dir: hgcn/{}, relative to data_root", options.dataset.value_or("NAME"))});
}

/// `dataset` for the other task, where there is one ("disease_lp" for "disease_nc").
std::string other_dataset_hint(const std::string& name, GraphTask task) {
  if (starts_with(name, "disease"))
    return task == GraphTask::kLinkPrediction ? "link prediction's Disease graph is disease_lp"
                                              : "node classification's Disease graph is disease_nc";
  return "choose another data set or task";
}

void check_split(const GraphDataOptions& options, GraphTask task, const GraphDataset& dataset,
                 std::vector<Problem>& problems) {
  const bool is_fixed = task == GraphTask::kNodeClassification && dataset.has_fixed_split;
  for (const auto& [key, given] : {std::pair{"valid_prop", options.valid_prop}, {"test_prop", options.test_prop}}) {
    if (is_fixed && given)
      problems.push_back(
          {fmt::format("data.{}", key), "E-split",
           fmt::format("'data.{}' is given, but node classification on {} has a fixed split", key, dataset.name),
           "remove it"});
    if (!is_fixed && given && *given == 0)
      problems.push_back({fmt::format("data.{}", key), "E-split", fmt::format("'data.{}' is 0", key),
                          "validation and testing need nodes or edges: use a positive share"});
  }
  const Proportions shares = split_proportions(options, task);
  if (!is_fixed && shares.valid + shares.test >= 1)
    problems.push_back(
        {options.test_prop ? "data.test_prop" : "data.valid_prop", "E-split",
         fmt::format("validation takes {} and testing {}, which leaves nothing to train on", shares.valid, shares.test),
         "their sum must be below 1"});
  if (options.split != "clean") return;
  if (task == GraphTask::kLinkPrediction)
    problems.push_back(
        {"data.split", "E-split", "'data.split: clean' is about nodes; link prediction splits edges", "remove it"});
  else if (!dataset.has_overlapping_split)
    problems.push_back(
        {"data.split", "E-split",
         fmt::format("'data.split' is clean, but the split of {} has no node in two parts already", dataset.name),
         "remove it; only airport's published split overlaps"});
}

}  // namespace

std::vector<Problem> check_graph_options(const GraphDataOptions& options, GraphTask task) {
  std::vector<Problem> problems;
  check_source(options, task, problems);
  if (options.format != "sir_tree" && !options.dataset) return problems;
  const GraphDataset& dataset = graph_dataset(options);
  if (!dataset.supports(task)) {
    problems.push_back({"data.dataset", "E-dataset",
                        fmt::format("'data.dataset' is {}, which is not for {}", dataset.name, task_name(task)),
                        other_dataset_hint(dataset.name, task)});
    return problems;  // the rest would be about a split that does not exist
  }
  check_split(options, task, dataset, problems);
  if (!options.use_feats && dataset.has_degree_columns)
    problems.push_back({"data.use_feats", "E-features",
                        fmt::format("'data.use_feats' is false, but {} has no variant without features", dataset.name),
                        "use true"});
  return problems;
}

CheckedGraph check_graph_files(const GraphDataOptions& options, const std::filesystem::path& data_root,
                               GraphTask task) {
  const auto folder = graph_folder(options, data_root);
  if (folder && !path_exists(*folder)) return {};
  try {
    Graph graph = load_graph(options, data_root, task);
    if (task == GraphTask::kNodeClassification)
      node_split(graph, options);
    else  // without the shuffle, which takes seconds on large graphs
      edge_part_sizes(static_cast<int64_t>(graph.edges.size()), NonEdges(graph.nodes, graph.edges).count(),
                      split_proportions(options, task));
    return {.problems = {}, .graph = std::move(graph)};
  } catch (const Error& error) {
    return {.problems = {{folder ? "data.dir" : "data.nodes", "E-data", error.what(), error.hint()}}, .graph = {}};
  }
}

}  // namespace sst::data
