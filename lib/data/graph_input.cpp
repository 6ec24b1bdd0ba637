#include "data/graph_input.hpp"

#include <memory>

#include "core/error.hpp"
#include "data/adjacency.hpp"
#include "data/features.hpp"

namespace sst::data {
namespace {

std::shared_ptr<const tensor::CsrMatrix> csr(const SparseArrays& arrays, torch::ScalarType type) {
  return std::make_shared<const tensor::CsrMatrix>(
      tensor::make_csr(arrays.rows, arrays.cols, arrays.indptr, arrays.indices, arrays.values.to(type)));
}

}  // namespace

GraphInput make_graph_input(const Graph& graph, const GraphDataOptions& options, GraphTask task,
                            const std::vector<Edge>& edges, torch::ScalarType type) {
  require(type == torch::kFloat32 || type == torch::kFloat64, "make_graph_input: float32 or float64 only");
  const auto [time, space] = to_hyperboloid(prepare_features(graph, options, task, edges));
  tensor::Rows features =
      space.is_sparse() ? tensor::Rows(time.to(type), csr(space.sparse, type))
                        : tensor::Rows(torch::cat({time.unsqueeze(1), space.dense}, 1).to(type));  // [nodes, F + 1]
  return {.nodes = graph.nodes,
          .features = std::move(features),
          .adjacency = csr(graph_adjacency(graph.nodes, edges, task, options.normalize_adj), type)};
}

}  // namespace sst::data
