// Products of a CSR matrix with a narrow dense one. On the CPU our own kernels: LibTorch's sparse products
// need a layout conversion or sum in an order that depends on the number of threads, and cost several times
// more at the widths graph networks have.
#include <ATen/Parallel.h>

#include <utility>

#include "core/error.hpp"
#include "tensor/lanes.hpp"
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

/// Sums of `kParts` registers' width: out = Σ_e value(e) · x[index(e)], in stored order.
template <bool kOrdered, class Scalar, size_t... kPart>
inline void sum_row(const Pattern<Scalar>& a, int64_t row, const Scalar* x, int64_t width, Scalar* out,
                    std::index_sequence<kPart...>) {
  using Part = Lanes<Scalar>;
  typename Part::Vector sums[sizeof...(kPart)] = {};
  for (int64_t e = a.indptr[row]; e < a.indptr[row + 1]; ++e) {
    const Scalar value = a.values[kOrdered ? a.order[e] : e];
    const Scalar* source = x + a.indices[e] * width;
    ((sums[kPart] += value * Part::load(source + kPart * Part::kCount)), ...);
  }
  (Part::store(sums[kPart], out + kPart * Part::kCount), ...);
}

template <bool kOrdered, class Scalar>
inline void sum_column(const Pattern<Scalar>& a, int64_t row, const Scalar* x, int64_t width, Scalar* out) {
  Scalar sum = 0;
  for (int64_t e = a.indptr[row]; e < a.indptr[row + 1]; ++e)
    sum += a.values[kOrdered ? a.order[e] : e] * x[a.indices[e] * width];
  *out = sum;
}

/// Adds value(e) · x[row] to out[index(e)]: the transposed product, from the matrix's own pattern.
template <class Scalar, size_t... kPart>
inline void spread_row(const Pattern<Scalar>& a, int64_t row, const Scalar* x, int64_t width, Scalar* out,
                       std::index_sequence<kPart...>) {
  using Part = Lanes<Scalar>;
  const typename Part::Vector source[] = {Part::load(x + kPart * Part::kCount)...};
  for (int64_t e = a.indptr[row]; e < a.indptr[row + 1]; ++e) {
    const Scalar value = a.values[e];
    Scalar* into = out + a.indices[e] * width;
    (Part::store(Part::load(into + kPart * Part::kCount) + value * source[kPart], into + kPart * Part::kCount), ...);
  }
}

template <class Scalar>
inline void spread_column(const Pattern<Scalar>& a, int64_t row, const Scalar* x, int64_t width, Scalar* out) {
  for (int64_t e = a.indptr[row]; e < a.indptr[row + 1]; ++e) out[a.indices[e] * width] += a.values[e] * *x;
}

/// Cuts a row of `width` columns into pieces of four registers, one register and one column, and calls
/// wide(first column, sequence of registers) or narrow(column) for each.
template <class Scalar, class Wide, class Narrow>
inline void for_each_piece(int64_t width, const Wide& wide, const Narrow& narrow) {
  constexpr int64_t kLanes = Lanes<Scalar>::kCount;
  int64_t column = 0;
  for (; column + 4 * kLanes <= width; column += 4 * kLanes) wide(column, std::make_index_sequence<4>{});
  for (; column + kLanes <= width; column += kLanes) wide(column, std::make_index_sequence<1>{});
  for (; column < width; ++column) narrow(column);
}

/// Rows [begin, end) of the product, each by one thread.
template <bool kOrdered, class Scalar>
void sum_rows(const Pattern<Scalar>& a, int64_t begin, int64_t end, const Scalar* x, int64_t width, Scalar* out) {
  for (int64_t row = begin; row < end; ++row)
    for_each_piece<Scalar>(
        width,
        [&](int64_t column, auto parts) {
          sum_row<kOrdered>(a, row, x + column, width, out + row * width + column, parts);
        },
        [&](int64_t column) { sum_column<kOrdered>(a, row, x + column, width, out + row * width + column); });
}

/// The whole transposed product by one thread. Every sum runs in the order of sum_rows<true>, so that both have the same
/// bits; this one reads the values where they lie.
template <class Scalar>
void spread_rows(const Pattern<Scalar>& a, int64_t rows, const Scalar* x, int64_t width, Scalar* out) {
  for (int64_t row = 0; row < rows; ++row)
    for_each_piece<Scalar>(
        width,
        [&](int64_t column, auto parts) { spread_row(a, row, x + row * width + column, width, out + column, parts); },
        [&](int64_t column) { spread_column(a, row, x + row * width + column, width, out + column); });
}

int64_t grain(const CsrMatrix& a, int64_t rows, int64_t width) {
  return 1 + 32768 / (1 + width * a.nonzeros() / std::max<int64_t>(rows, 1));
}

torch::Tensor cpu_times(const CsrMatrix& a, const torch::Tensor& values, const torch::Tensor& x) {
  const int64_t width = x.size(1);
  const torch::Tensor product = torch::empty({a.rows, width}, x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "csr_times", [&] {
    const Pattern<scalar_t> pattern{a.indptr.const_data_ptr<int64_t>(), a.indices.const_data_ptr<int64_t>(), nullptr,
                                    values.const_data_ptr<scalar_t>()};
    at::parallel_for(0, a.rows, grain(a, a.rows, width), [&](int64_t begin, int64_t end) {
      sum_rows<false, scalar_t>(pattern, begin, end, x.const_data_ptr<scalar_t>(), width,
                                product.mutable_data_ptr<scalar_t>());
    });
  });
  return product;
}

torch::Tensor cpu_transposed_times(const CsrMatrix& a, const torch::Tensor& values, const torch::Tensor& x) {
  const int64_t width = x.size(1);
  const bool alone = at::get_num_threads() == 1 || at::in_parallel_region();
  const torch::Tensor product =
      alone ? torch::zeros({a.cols, width}, x.options()) : torch::empty({a.cols, width}, x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "csr_transposed_times", [&] {
    const scalar_t* from = x.const_data_ptr<scalar_t>();
    scalar_t* out = product.mutable_data_ptr<scalar_t>();
    const Pattern<scalar_t> own{a.indptr.const_data_ptr<int64_t>(), a.indices.const_data_ptr<int64_t>(), nullptr,
                                values.const_data_ptr<scalar_t>()};
    if (alone) return spread_rows<scalar_t>(own, a.rows, from, width, out);
    const Pattern<scalar_t> transposed{a.transposed_indptr.const_data_ptr<int64_t>(),
                                       a.transposed_indices.const_data_ptr<int64_t>(),
                                       a.transposed_order.const_data_ptr<int64_t>(), own.values};
    at::parallel_for(0, a.cols, grain(a, a.cols, width), [&](int64_t begin, int64_t end) {
      sum_rows<true, scalar_t>(transposed, begin, end, from, width, out);
    });
  });
  return product;
}

/// LibTorch's own product, for other devices.
torch::Tensor device_product(int64_t rows, int64_t cols, const torch::Tensor& indptr, const torch::Tensor& indices,
                             const torch::Tensor& values, const torch::Tensor& x) {
  return torch::sparse_csr_tensor(indptr, indices, values, {rows, cols}, values.options().layout(torch::kSparseCsr))
      .matmul(x);
}

void check_operands(const CsrMatrix& a, int64_t inner, const torch::Tensor& values, const torch::Tensor& x) {
  check_shape(x, {inner, kAny}, "dense factor of a sparse product");
  check_shape(values, {a.nonzeros()}, "values of a sparse product");
  require(values.scalar_type() == x.scalar_type(), "both factors of a sparse product must have one type");
}

}  // namespace

CsrMatrix make_csr(int64_t rows, int64_t cols, torch::Tensor indptr, torch::Tensor indices, torch::Tensor values) {
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
  return x.device().is_cpu() ? cpu_times(a, values, x.contiguous())
                             : device_product(a.rows, a.cols, a.indptr, a.indices, values, x);
}

torch::Tensor csr_transposed_times(const CsrMatrix& a, const torch::Tensor& values, const torch::Tensor& x) {
  check_operands(a, a.rows, values, x);
  const torch::NoGradGuard no_grad;
  return x.device().is_cpu() ? cpu_transposed_times(a, values, x.contiguous())
                             : device_product(a.cols, a.rows, a.transposed_indptr, a.transposed_indices,
                                              values.index_select(0, a.transposed_order), x);
}

}  // namespace sst::tensor
