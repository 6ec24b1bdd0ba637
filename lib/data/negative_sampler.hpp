#pragma once

#include <torch/types.h>

#include <vector>

#include "data/graph.hpp"
#include "data/non_edges.hpp"

namespace sst::data {

/// Draws the negative pairs of link prediction's training epochs, uniformly with replacement from the
/// published pool: every pair u ≤ v without an edge in the whole graph (the diagonal, and those that
/// validation and test use, included) and every held-out positive once. So a held-out edge can be drawn as a
/// negative, with 790 in 3.7 million on Cora.
class NegativeSampler {
 public:
  NegativeSampler(const Graph& graph, const EdgeSplit& split);

  int64_t pool_size() const { return non_edges_.count() + static_cast<int64_t>(held_out_.size()); }

  /// A pure function of its arguments: a resumed run draws what an unbroken one would have.
  ///   returns   int64 [2, pairs], u in row 0, v in row 1
  ///   source    Chami et al. 2019, published loader; the generator is ours
  torch::Tensor draw(uint64_t seed, int64_t epoch, int64_t pairs) const;

 private:
  NonEdges non_edges_;
  std::vector<Edge> held_out_;  // validation, then test positives
};

/// int64 [2, pairs] of a list of pairs, u in row 0.
torch::Tensor pair_index(const std::vector<Edge>& pairs);

}  // namespace sst::data
