#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/graph.hpp"
#include "data/graph_datasets.hpp"

namespace sst::data {

/// HGCN's split by class: nodes of label ≠ 0 and nodes of label ≠ 1 are shuffled apart, and each list gives
/// the same number of nodes to validation and to testing. Meant for two classes; with more, nodes of the
/// classes from 2 on are in both lists and so in two parts.
///   returns   indices in published order, duplicates included
///   source    Chami et al. 2019, published loader; NumPy's generator with `seed`
NodeSplit published_node_split(const std::vector<int64_t>& labels, Proportions proportions, uint32_t seed);

/// Testing keeps its nodes, validation those that are not in testing, training those in neither; each once,
/// ascending.
NodeSplit clean_node_split(const NodeSplit& split);

/// The split the recipe asks for: the fixed one of the data set where it has one, else drawn; cleaned when
/// `split` says so.
///   throws    DataError when the graph has no labels or a part comes out empty
NodeSplit node_split(const Graph& graph, const GraphDataOptions& options);

/// Distinct nodes of the parts, and of what they share.
struct SplitOverlap {
  int64_t train = 0, valid = 0, test = 0;
  int64_t train_valid = 0, train_test = 0, valid_test = 0;
  bool any() const { return train_valid + train_test + valid_test > 0; }
};

SplitOverlap overlap_of(const NodeSplit& split);

/// One line for people: "225 of 506 test nodes and 246 of 505 validation nodes are also training nodes, …";
/// "no node is in two parts" when there is no overlap.
std::string overlap_text(const SplitOverlap& overlap);

/// How many edges go to validation and to testing.
///   throws    UserError when a part would be empty or there are too few pairs without an edge for it
struct EdgePartSizes {
  int64_t valid = 0, test = 0;
};
EdgePartSizes edge_part_sizes(int64_t edges, int64_t non_edges, Proportions proportions);

/// HGCN's split of the edges; the parts' negatives are the front of the shuffled list of all pairs u ≤ v
/// without an edge, the diagonal included.
///   edges     u ≤ v, sorted
///   throws    UserError when a part comes out empty, or when there are more pairs than the published shuffle
///   can take
///             in reasonable time (2^32, about 92,000 nodes)
///   source    as above
EdgeSplit published_edge_split(int64_t nodes, const std::vector<Edge>& edges, Proportions proportions, uint32_t seed);

/// The split the recipe asks for.
EdgeSplit edge_split(const Graph& graph, const GraphDataOptions& options);

}  // namespace sst::data
