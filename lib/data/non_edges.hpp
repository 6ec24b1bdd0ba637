#pragma once

#include <cstdint>
#include <vector>

#include "data/graph.hpp"

namespace sst::data {

/// The pairs u ≤ v without an edge, diagonal included, in row-major order and addressed by their number: a
/// list of 194 million pairs (PubMed) that takes no memory.
class NonEdges {
 public:
  /// edges  u ≤ v, sorted, each once
  NonEdges(int64_t nodes, const std::vector<Edge>& edges);

  int64_t count() const { return row_start_.back(); }
  /// Number `rank` in [0, count()). O(log nodes + degree).
  Edge at(int64_t rank) const;

 private:
  std::vector<int64_t> row_start_;        // [nodes + 1], number of the first pair of each row
  std::vector<int64_t> neighbour_start_;  // [nodes + 1]
  std::vector<int64_t> neighbours_;       // v of the edges (u, v), u ≤ v, row by row, ascending
};

}  // namespace sst::data
