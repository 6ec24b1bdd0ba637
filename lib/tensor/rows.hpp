#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>

#include "core/seeds.hpp"

namespace sst::tensor {

/// A constant sparse matrix in CSR form with the pattern of its transpose, so that products with either run
/// row by row without atomics: each output row is summed by one thread in stored order, and the result is the
/// same for any number of threads.
struct CsrMatrix {
  int64_t rows = 0, cols = 0;
  torch::Tensor indptr;              ///< int64 [rows + 1]
  torch::Tensor indices;             ///< int64 [nonzeros], ascending within a row
  torch::Tensor values;              ///< float [nonzeros]
  torch::Tensor transposed_indptr;   ///< int64 [cols + 1]
  torch::Tensor transposed_indices;  ///< int64 [nonzeros], row of each entry, column by column
  torch::Tensor transposed_order;    ///< int64 [nonzeros], position in `values` of each of them

  int64_t nonzeros() const { return indices.numel(); }
  CsrMatrix to(torch::Device device) const;
};

/// Builds the transpose's pattern, on the CPU. Throws std::logic_error when indptr and indices do not fit
/// together.
CsrMatrix make_csr(int64_t rows, int64_t cols, torch::Tensor indptr, torch::Tensor indices, torch::Tensor values);

/// A as an ordinary tensor [rows, cols]; for tests and attention.
torch::Tensor to_dense(const CsrMatrix& a, const torch::Tensor& values);

/// A·x without a graph. x [cols, width] → [rows, width].
torch::Tensor csr_times(const CsrMatrix& a, const torch::Tensor& values, const torch::Tensor& x);
/// Aᵀ·x without a graph. x [rows, width] → [cols, width].
torch::Tensor csr_transposed_times(const CsrMatrix& a, const torch::Tensor& values, const torch::Tensor& x);

/// A·x, differentiable in x. x [cols, width] → [rows, width].
torch::Tensor csr_matmul(const std::shared_ptr<const CsrMatrix>& a, const torch::Tensor& x);

/// The rows that enter a linear map: either an ordinary dense tensor, or a constant sparse one with one dense
/// column in front (features mapped to the hyperboloid: the time entry is dense, the space entries are as
/// sparse as the features). Methods write their layers against this class only, and so train on either kind.
class Rows {
 public:
  /// x [rows, in], differentiable. Implicit, so that a layer takes a tensor as well.
  Rows(torch::Tensor x);  // NOLINT(google-explicit-constructor)
  /// [first_column | sparse]: first_column [rows], `sparse` holds columns 1 … in − 1 as its columns 0 … in
  /// − 2.
  Rows(torch::Tensor first_column, std::shared_ptr<const CsrMatrix> sparse);

  bool is_sparse() const { return sparse_ != nullptr; }
  int64_t rows() const;
  int64_t cols() const;
  int64_t stored() const;              ///< entries that take part in a product
  const torch::Tensor& dense() const;  ///< only when dense
  torch::Tensor to_dense() const;      ///< [rows, in]; for tests and attention
  Rows to(torch::Device device) const;
  torch::ScalarType dtype() const;
  torch::Device device() const;

  /// X·M without a graph. M [in, width] → [rows, width].
  torch::Tensor times(const torch::Tensor& m) const;
  /// Xᵀ·D without a graph. D [rows, width] → [in, width].
  torch::Tensor transposed_times(const torch::Tensor& d) const;
  /// X·M, differentiable in M and, when dense, in X. M [in, width] → [rows, width].
  torch::Tensor matmul(const torch::Tensor& m) const;

  /// Inverted dropout on every entry that can be non-zero (time entry included): kept with probability 1 − p
  /// and scaled by 1 / (1 − p). The mask is a pure function of `rng`. p = 0 returns the rows themselves.
  Rows dropout(double p, const CounterRng& rng) const;
  Rows relu() const;

 private:
  torch::Tensor dense_;         ///< defined when dense
  torch::Tensor first_column_;  ///< [rows], when sparse
  torch::Tensor values_;        ///< values of `sparse_` after dropout, when sparse
  std::shared_ptr<const CsrMatrix> sparse_;
};

}  // namespace sst::tensor
