#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "data/graph.hpp"

namespace sst::data {

/// A sparse matrix row by row; what tensor::make_csr takes.
struct SparseArrays {
  int64_t rows = 0, cols = 0;
  torch::Tensor indptr;   ///< int64 [rows + 1]
  torch::Tensor indices;  ///< int64 [nonzeros], ascending within a row
  torch::Tensor values;   ///< float [nonzeros]
};

/// What a self loop counts in A. Node classification's A is binary; link prediction's is built as T + Tᵀ from
/// the training edges T, so a loop counts twice there.
int64_t self_loop_weight(GraphTask task);

/// Â = D⁻¹(A + I) with D the row sums of A + I; with `normalize` false A itself, without I.
///   edges     u ≤ v, any order, each once
///   returns   float64 [nodes, nodes]
///   source    Chami et al. 2019, published loader
SparseArrays graph_adjacency(int64_t nodes, const std::vector<Edge>& edges, GraphTask task, bool normalize);

/// Column sums of A.
std::vector<int64_t> node_degrees(int64_t nodes, const std::vector<Edge>& edges, GraphTask task);

}  // namespace sst::data
