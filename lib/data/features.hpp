#pragma once

#include <torch/types.h>

#include <utility>
#include <vector>

#include "data/adjacency.hpp"
#include "data/graph.hpp"

namespace sst::data {

/// Node features, dense or sparse: one of the two is defined.
struct Features {
  torch::Tensor dense;  ///< [nodes, F]
  SparseArrays sparse;  ///< [nodes, F]

  bool is_sparse() const { return !dense.defined(); }
  int64_t count() const { return is_sparse() ? sparse.cols : dense.size(1); }
  /// The stored entries: [nodes, F] when dense, [nonzeros] when sparse.
  const torch::Tensor& values() const { return is_sparse() ? sparse.values : dense; }
  Features with_values(torch::Tensor values) const {
    Features copy = *this;
    (is_sparse() ? copy.sparse.values : copy.dense) = std::move(values);
    return copy;
  }
};

/// Divides each row by its (signed) sum; a row of sum 0 becomes 0. Done in the stored type: the citation sets
/// are float32 and the published code normalises them before any cast.
Features normalize_rows(const Features& features);

/// Six columns with the one-hot of min(degree, 5) and a column of ones.
///   returns   float64 [nodes, 7]
torch::Tensor degree_columns(const std::vector<int64_t>& degrees);

/// The features a model trains on: selected, normalised, followed by degree columns where the data set has
/// them.
///   edges     those of the training adjacency
///   throws    DataError when the graph has no features and `use_feats` asks for them
///   source    Chami et al. 2019, published loader, order of operations included
Features prepare_features(const Graph& graph, const GraphDataOptions& options, GraphTask task,
                          const std::vector<Edge>& edges);

/// Features on the hyperboloid, expmap0((0, f)) with the radius held at 10: time entry first, and the space
/// entries, as sparse as the features.
struct HyperboloidFeatures {
  torch::Tensor time;  ///< float64 [nodes]
  Features space;      ///< float64 [nodes, F]
};

///   source    Chen et al. 2022, published code: Lorentz.expmap0, then projection
HyperboloidFeatures to_hyperboloid(const Features& features);

}  // namespace sst::data
