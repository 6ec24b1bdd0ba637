#pragma once

#include <torch/types.h>

#include <memory>

#include "tensor/rows.hpp"

namespace sst::testing {

/// The non-zero entries of a matrix [rows, cols], row by row.
inline std::shared_ptr<const tensor::CsrMatrix> to_csr(const torch::Tensor& dense) {
  const torch::Tensor stored = dense != 0;
  const torch::Tensor indptr = torch::cat({torch::zeros({1}, torch::kInt64), stored.sum(1).cumsum(0)});
  return std::make_shared<tensor::CsrMatrix>(tensor::make_csr(
      dense.size(0), dense.size(1), indptr, stored.nonzero().select(1, 1), dense.masked_select(stored)));
}

}  // namespace sst::testing
