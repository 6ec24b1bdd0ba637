#include "data/features.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "data/graph_datasets.hpp"

namespace sst::data {
namespace {

constexpr double kMostRadius = 10.0;       // of both exponential maps in the published code
constexpr double kLeastSquareNorm = 1e-9;  // as there; a zero row maps to the origin

/// [nonzeros], the row of each stored entry.
torch::Tensor row_of_entries(const SparseArrays& sparse) {
  const torch::Tensor lengths = sparse.indptr.slice(0, 1) - sparse.indptr.slice(0, 0, -1);
  return torch::repeat_interleave(torch::arange(sparse.rows, torch::kInt64), lengths);
}

/// float64 [nodes]
torch::Tensor row_sums(const Features& features) {
  if (!features.is_sparse()) return features.dense.to(torch::kFloat64).sum(1);
  return torch::zeros({features.sparse.rows}, torch::kFloat64)
      .index_add_(0, row_of_entries(features.sparse), features.sparse.values.to(torch::kFloat64));
}

torch::Tensor row_square_sums(const Features& features) {
  return row_sums(features.with_values(features.values().square()));
}

Features scale_rows(const Features& features, const torch::Tensor& factors) {
  return features.with_values(features.values() * (features.is_sparse()
                                                       ? factors.index_select(0, row_of_entries(features.sparse))
                                                       : factors.unsqueeze(1)));
}

Features stored_features(const Graph& graph) {
  if (graph.dense_features.defined()) return {.dense = graph.dense_features, .sparse = {}};
  if (!graph.feature_values.defined())
    throw DataError("graph '" + graph.name + "' has no features",
                    "data.use_feats: false gives every node its own one-hot feature");
  return {.dense = {},
          .sparse = {.rows = graph.nodes,
                     .cols = graph.feature_count,
                     .indptr = graph.feature_indptr,
                     .indices = graph.feature_indices,
                     .values = graph.feature_values}};
}

Features identity_features(int64_t nodes) {
  return {.dense = {},
          .sparse = {.rows = nodes,
                     .cols = nodes,
                     .indptr = torch::arange(nodes + 1, torch::kInt64),
                     .indices = torch::arange(nodes, torch::kInt64),
                     .values = torch::ones({nodes}, torch::kFloat64)}};
}

}  // namespace

Features normalize_rows(const Features& features) {
  const torch::Tensor sums = row_sums(features).to(features.values().scalar_type());
  return scale_rows(features, torch::where(sums == 0, torch::zeros_like(sums), sums.reciprocal()));
}

torch::Tensor degree_columns(const std::vector<int64_t>& degrees) {
  constexpr int64_t kMostDegree = 5;
  const auto nodes = static_cast<int64_t>(degrees.size());
  torch::Tensor columns = torch::zeros({nodes, kMostDegree + 2}, torch::kFloat64);
  auto entry = columns.accessor<double, 2>();
  for (int64_t node = 0; node < nodes; ++node) {
    entry[node][std::min(degrees[static_cast<size_t>(node)], kMostDegree)] = 1;
    entry[node][kMostDegree + 1] = 1;
  }
  return columns;
}

Features prepare_features(const Graph& graph, const GraphDataOptions& options, GraphTask task,
                          const std::vector<Edge>& edges) {
  const GraphDataset& dataset = graph_dataset(options);
  Features features = options.use_feats ? stored_features(graph) : identity_features(graph.nodes);
  if (options.use_feats && dataset.node_features && task == GraphTask::kNodeClassification) {
    require(!features.is_sparse(), "prepare_features: columns are selected from dense features only");
    features.dense = features.dense.slice(1, 0, *dataset.node_features);
  }
  if (options.normalize_feats) features = normalize_rows(features);
  if (dataset.has_degree_columns) {
    require(!features.is_sparse(), "prepare_features: degree columns follow dense features only");
    const torch::Tensor degrees = degree_columns(node_degrees(graph.nodes, edges, task));  // [nodes, 7]
    features.dense = torch::cat({features.dense, degrees.to(features.dense.scalar_type())}, 1);
  }
  return features;
}

HyperboloidFeatures to_hyperboloid(const Features& features) {
  const Features exact = features.with_values(features.values().to(torch::kFloat64));
  const torch::Tensor norm = row_square_sums(exact).clamp_min(kLeastSquareNorm).sqrt();  // [nodes]
  const Features space = scale_rows(exact, norm.clamp_max(kMostRadius).sinh() / norm);
  return {.time = (row_square_sums(space) + 1).sqrt(), .space = space};
}

}  // namespace sst::data
