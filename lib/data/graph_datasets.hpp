#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/graph.hpp"

namespace sst::data {

struct Proportions {
  double valid = 0, test = 0;
};

/// What is known of a data set before its files are read: everything that differs between them and is not in
/// the files.
struct GraphDataset {
  std::string name;
  std::vector<GraphTask> tasks;
  bool has_fixed_split = false;        ///< node classification splits as published with the data
  Proportions node_proportions = {};   ///< of node classification, per half; where the split is drawn
  bool has_overlapping_split = false;  ///< the published node split puts nodes in two parts (more than two classes)
  bool has_degree_columns = false;     ///< seven columns of degree follow the features, which then can't be left out
  std::optional<int64_t> node_features = {};  ///< node classification uses only this many columns of the file

  bool supports(GraphTask task) const;
};

/// `sir_tree` is a data set here as well. Throws std::logic_error for an unknown name: recipes are checked
/// before.
const GraphDataset& graph_dataset(const std::string& name);

/// The data set the options mean: `sir_tree`, or the one named by `dataset`.
const GraphDataset& graph_dataset(const GraphDataOptions& options);

/// The shares in force: those given, else the published ones (0.05 and 0.10 of the edges in link prediction).
Proportions split_proportions(const GraphDataOptions& options, GraphTask task);

/// "node_classification" or "link_prediction", as recipes spell it.
std::string task_name(GraphTask task);

}  // namespace sst::data
