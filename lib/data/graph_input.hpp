#pragma once

#include <torch/types.h>

#include <vector>

#include "data/graph.hpp"

namespace sst::data {

/// Features on the hyperboloid and the adjacency messages travel along, computed once in float64 and then
/// cast.
///   edges     node classification: all edges of the graph; link prediction: the training edges
///   type      float32 or float64
///   throws    DataError as prepare_features
GraphInput make_graph_input(const Graph& graph, const GraphDataOptions& options, GraphTask task,
                            const std::vector<Edge>& edges, torch::ScalarType type);

}  // namespace sst::data
