#include "data/adjacency.hpp"

#include <algorithm>

namespace sst::data {

int64_t self_loop_weight(GraphTask task) { return task == GraphTask::kLinkPrediction ? 2 : 1; }

std::vector<int64_t> node_degrees(int64_t nodes, const std::vector<Edge>& edges, GraphTask task) {
  std::vector<int64_t> degrees(static_cast<size_t>(nodes));
  for (const auto& [u, v] : edges) {
    degrees[static_cast<size_t>(u)] += u == v ? self_loop_weight(task) : 1;
    if (u != v) ++degrees[static_cast<size_t>(v)];
  }
  return degrees;
}

SparseArrays graph_adjacency(int64_t nodes, const std::vector<Edge>& edges, GraphTask task, bool normalize) {
  struct Entry {
    int64_t column;
    double weight;
  };
  std::vector<std::vector<Entry>> rows(static_cast<size_t>(nodes));
  std::vector<double> diagonal(static_cast<size_t>(nodes), normalize ? 1.0 : 0.0);
  for (const auto& [u, v] : edges) {
    if (u == v) {
      diagonal[static_cast<size_t>(u)] += static_cast<double>(self_loop_weight(task));
    } else {
      rows[static_cast<size_t>(u)].push_back({v, 1.0});
      rows[static_cast<size_t>(v)].push_back({u, 1.0});
    }
  }

  std::vector<int64_t> indptr{0}, indices;
  std::vector<double> values;
  for (int64_t node = 0; node < nodes; ++node) {
    auto& row = rows[static_cast<size_t>(node)];
    const double own = diagonal[static_cast<size_t>(node)];
    if (own != 0) row.push_back({node, own});
    std::sort(row.begin(), row.end(), [](const Entry& a, const Entry& b) { return a.column < b.column; });
    double sum = 0;  // of small whole numbers, so exact
    for (const Entry& entry : row) sum += entry.weight;
    for (const Entry& entry : row) {
      indices.push_back(entry.column);
      values.push_back(normalize ? entry.weight / sum : entry.weight);
    }
    indptr.push_back(static_cast<int64_t>(indices.size()));
  }
  return {.rows = nodes,
          .cols = nodes,
          .indptr = torch::tensor(indptr, torch::kInt64),
          .indices = torch::tensor(indices, torch::kInt64),
          .values = torch::tensor(values, torch::kFloat64)};
}

}  // namespace sst::data
