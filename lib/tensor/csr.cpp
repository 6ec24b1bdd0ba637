// Products of a CSR matrix with a narrow dense one. On the CPU our own kernels: LibTorch's sparse products
// need a layout conversion or sum in an order that depends on the number of threads, and cost several times
// more at the widths graph networks have.
#include <ATen/Parallel.h>

#include "core/error.hpp"
#include "tensor/rows.hpp"
#include "tensor/shape.hpp"

namespace sst::tensor {
namespace {

/// One compressed matrix as raw pointers. `order` (or null) says where in `values` the value of each entry
/// is.
template <class Scalar>
struct Pattern {
  const int64_t* indptr;
  const int64_t* indices;
  const int64_t* order;
  const Scalar* values;
};

/// out[0 … kWidth) = Σ_e value(e) · x[index(e), 0 … kWidth), in stored order, in registers.
template <int kWidth, bool kOrdered, class Scalar>
inline void sum_row(const Pattern<Scalar>& a, int64_t row, const Scalar* x, int64_t stride, Scalar* out) {
  Scalar sum[kWidth] = {};
  for (int64_t e = a.indptr[row]; e < a.indptr[row + 1]; ++e) {
    const Scalar value = a.values[kOrdered ? a.order[e] : e];
    const Scalar* source = x + a.indices[e] * stride;
    for (int j = 0; j < kWidth; ++j) sum[j] += value * source[j];
  }
  for (int j = 0; j < kWidth; ++j) out[j] = sum[j];
}

template <bool kOrdered, class Scalar>
inline void sum_rows(const Pattern<Scalar>& a, int64_t begin, int64_t end, const Scalar* x, int64_t width,
                     Scalar* out) {
  for (int64_t row = begin; row < end; ++row) {
    int64_t j = 0;
    for (; width - j >= 16; j += 16) sum_row<16, kOrdered>(a, row, x + j, width, out + row * width + j);
    if (width - j >= 8) sum_row<8, kOrdered>(a, row, x + j, width, out + row * width + j), j += 8;
    if (width - j >= 4) sum_row<4, kOrdered>(a, row, x + j, width, out + row * width + j), j += 4;
    if (width - j >= 2) sum_row<2, kOrdered>(a, row, x + j, width, out + row * width + j), j += 2;
    if (width - j >= 1) sum_row<1, kOrdered>(a, row, x + j, width, out + row * width + j);
  }
}

template <bool kOrdered>
torch::Tensor cpu_product(int64_t rows, const torch::Tensor& indptr, const torch::Tensor& indices,
                          const torch::Tensor& order, const torch::Tensor& values, const torch::Tensor& x) {
  const torch::Tensor source = x.contiguous();
  const int64_t width = source.size(1);
  torch::Tensor product = torch::empty({rows, width}, source.options());
  const int64_t work_per_row = 1 + width * indices.numel() / std::max<int64_t>(rows, 1);
  AT_DISPATCH_FLOATING_TYPES(source.scalar_type(), "csr_times", [&] {
    const Pattern<scalar_t> pattern{indptr.const_data_ptr<int64_t>(), indices.const_data_ptr<int64_t>(),
                                    kOrdered ? order.const_data_ptr<int64_t>() : nullptr,
                                    values.const_data_ptr<scalar_t>()};
    const scalar_t* in = source.const_data_ptr<scalar_t>();
    scalar_t* out = product.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, rows, std::max<int64_t>(1, 32768 / work_per_row), [&](int64_t begin, int64_t end) {
      sum_rows<kOrdered, scalar_t>(pattern, begin, end, in, width, out);
    });
  });
  return product;
}

torch::Tensor device_product(int64_t rows, int64_t cols, const torch::Tensor& indptr,
                             const torch::Tensor& indices, const torch::Tensor& values,
                             const torch::Tensor& x) {
  return torch::sparse_csr_tensor(indptr, indices, values, {rows, cols},
                                  values.options().layout(torch::kSparseCsr))
      .matmul(x);
}

void check_operands(const CsrMatrix& a, int64_t inner, const torch::Tensor& values, const torch::Tensor& x) {
  check_shape(x, {inner, kAny}, "dense factor of a sparse product");
  check_shape(values, {a.nonzeros()}, "values of a sparse product");
  require(values.scalar_type() == x.scalar_type(), "both factors of a sparse product must have one type");
}

}  // namespace

CsrMatrix make_csr(int64_t rows, int64_t cols, torch::Tensor indptr, torch::Tensor indices,
                   torch::Tensor values) {
  check_shape(indptr, {rows + 1}, "indptr");
  check_shape(indices, {kAny}, "indices");
  check_shape(values, {indices.numel()}, "values");
  CsrMatrix a{rows,
              cols,
              indptr.to(torch::kInt64).contiguous(),
              indices.to(torch::kInt64).contiguous(),
              values.contiguous(),
              {},
              {},
              {}};
  const auto start = a.indptr.accessor<int64_t, 1>(), column = a.indices.accessor<int64_t, 1>();
  require(start[0] == 0 && start[rows] == a.nonzeros(), "indptr must run from 0 to the number of entries");
  a.transposed_indptr = torch::zeros({cols + 1}, torch::kInt64);
  a.transposed_indices = torch::empty({a.nonzeros()}, torch::kInt64);
  a.transposed_order = torch::empty({a.nonzeros()}, torch::kInt64);
  auto column_start = a.transposed_indptr.accessor<int64_t, 1>();
  for (int64_t row = 0; row < rows; ++row) {
    require(start[row] <= start[row + 1], "indptr must not decrease");
    for (int64_t e = start[row]; e < start[row + 1]; ++e) {
      require(column[e] >= 0 && column[e] < cols, "a column index lies outside the matrix");
      require(e == start[row] || column[e - 1] < column[e], "columns must ascend within a row");
      ++column_start[column[e] + 1];
    }
  }
  for (int64_t col = 0; col < cols; ++col) column_start[col + 1] += column_start[col];
  const torch::Tensor next = a.transposed_indptr.clone();
  auto place = next.accessor<int64_t, 1>(), row_of = a.transposed_indices.accessor<int64_t, 1>(),
       order = a.transposed_order.accessor<int64_t, 1>();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t e = start[row]; e < start[row + 1]; ++e) {
      const int64_t slot = place[column[e]]++;
      row_of[slot] = row;
      order[slot] = e;
    }
  return a;
}

torch::Tensor to_dense(const CsrMatrix& a, const torch::Tensor& values) {
  const torch::Tensor row = torch::repeat_interleave(a.indptr.diff());  // [nonzeros]
  return torch::zeros({a.rows, a.cols}, values.options()).index_put_({row, a.indices}, values);
}

CsrMatrix CsrMatrix::to(torch::Device device) const {
  return {rows,
          cols,
          indptr.to(device),
          indices.to(device),
          values.to(device),
          transposed_indptr.to(device),
          transposed_indices.to(device),
          transposed_order.to(device)};
}

torch::Tensor csr_times(const CsrMatrix& a, const torch::Tensor& values, const torch::Tensor& x) {
  check_operands(a, a.cols, values, x);
  const torch::NoGradGuard no_grad;
  return x.device().is_cpu() ? cpu_product<false>(a.rows, a.indptr, a.indices, {}, values, x)
                             : device_product(a.rows, a.cols, a.indptr, a.indices, values, x);
}

torch::Tensor csr_transposed_times(const CsrMatrix& a, const torch::Tensor& values, const torch::Tensor& x) {
  check_operands(a, a.rows, values, x);
  const torch::NoGradGuard no_grad;
  return x.device().is_cpu() ? cpu_product<true>(a.cols, a.transposed_indptr, a.transposed_indices,
                                                 a.transposed_order, values, x)
                             : device_product(a.cols, a.rows, a.transposed_indptr, a.transposed_indices,
                                              values.index_select(0, a.transposed_order), x);
}

}  // namespace sst::tensor
