#include "data/non_edges.hpp"

#include <algorithm>
#include <string>

#include "core/error.hpp"

namespace sst::data {

NonEdges::NonEdges(int64_t nodes, const std::vector<Edge>& edges)
    : row_start_(static_cast<size_t>(nodes) + 1), neighbour_start_(static_cast<size_t>(nodes) + 1) {
  require(std::is_sorted(edges.begin(), edges.end()), "NonEdges: edges are not sorted");
  neighbours_.reserve(edges.size());
  for (const auto& [u, v] : edges) {
    require(0 <= u && u <= v && v < nodes, "NonEdges: an edge is not 0 ≤ u ≤ v < nodes");
    ++neighbour_start_[static_cast<size_t>(u) + 1];
    neighbours_.push_back(v);
  }
  for (size_t row = 0; row < static_cast<size_t>(nodes); ++row) {
    const int64_t taken = neighbour_start_[row + 1];
    neighbour_start_[row + 1] += neighbour_start_[row];
    row_start_[row + 1] = row_start_[row] + (nodes - static_cast<int64_t>(row)) - taken;
  }
}

Edge NonEdges::at(int64_t rank) const {
  require(rank >= 0 && rank < count(), "NonEdges: no pair number " + std::to_string(rank));
  // The last row that starts at or before `rank`; empty rows start where the next one does and are skipped by
  // that.
  const auto next = std::upper_bound(row_start_.begin(), row_start_.end(), rank);
  const int64_t u = next - row_start_.begin() - 1;
  int64_t v = u + rank - *(next - 1);
  const auto row = static_cast<size_t>(u);
  for (int64_t k = neighbour_start_[row]; k < neighbour_start_[row + 1]; ++k) {
    if (neighbours_[static_cast<size_t>(k)] > v) break;
    ++v;
  }
  return {u, v};
}

}  // namespace sst::data
