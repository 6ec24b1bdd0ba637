#include "tensor/rows.hpp"

#include "core/error.hpp"
#include "tensor/autograd.hpp"
#include "tensor/random.hpp"
#include "tensor/shape.hpp"

namespace sst::tensor {

namespace {

/// Below this many columns a product with rows is made as its transpose: BLAS is several times faster when the long side
/// of the result runs along memory. From here on both ways cost the same.
constexpr int64_t kNarrow = 32;

}  // namespace

torch::Tensor csr_matmul(const std::shared_ptr<const CsrMatrix>& a, const torch::Tensor& x) {
  return with_backward(csr_times(*a, a->values, x), {x}, [a](const torch::Tensor& gradient, const auto&) {
    return std::vector{csr_transposed_times(*a, a->values, gradient)};
  });
}

Rows::Rows(torch::Tensor x) : dense_(std::move(x)) { check_shape(dense_, {kAny, kAny}, "rows"); }

Rows::Rows(torch::Tensor first_column, std::shared_ptr<const CsrMatrix> sparse)
    : first_column_(std::move(first_column)), values_(sparse->values), sparse_(std::move(sparse)) {
  check_shape(first_column_, {sparse_->rows}, "first column of sparse rows");
  require(first_column_.scalar_type() == values_.scalar_type(), "first column and sparse columns must have one type");
}

int64_t Rows::rows() const { return is_sparse() ? sparse_->rows : dense_.size(0); }

int64_t Rows::cols() const { return is_sparse() ? sparse_->cols + 1 : dense_.size(1); }

int64_t Rows::stored() const { return is_sparse() ? sparse_->rows + sparse_->nonzeros() : dense_.numel(); }

const torch::Tensor& Rows::dense() const {
  require(!is_sparse(), "these rows are sparse: there is no dense tensor to give");
  return dense_;
}

torch::Tensor Rows::to_dense() const {
  if (!is_sparse()) return dense_;
  return torch::cat({first_column_.unsqueeze(1), tensor::to_dense(*sparse_, values_)}, 1);  // [rows, in]
}

Rows Rows::to(torch::Device device) const {
  if (!is_sparse()) return Rows(dense_.to(device));
  Rows moved(first_column_.to(device), std::make_shared<const CsrMatrix>(sparse_->to(device)));
  moved.values_ = values_.to(device);
  return moved;
}

torch::ScalarType Rows::dtype() const { return is_sparse() ? values_.scalar_type() : dense_.scalar_type(); }

torch::Device Rows::device() const { return is_sparse() ? values_.device() : dense_.device(); }

torch::Tensor Rows::times(const torch::Tensor& m) const {
  check_shape(m, {cols(), kAny}, "right factor of a product with rows");
  const torch::NoGradGuard no_grad;
  if (!is_sparse()) return m.size(1) < kNarrow ? m.t().mm(dense_.t()).t() : dense_.mm(m);
  const torch::Tensor right = m.contiguous();  // the rows of m are read one by one
  return csr_times(*sparse_, values_, right.narrow(0, 1, sparse_->cols)).addr_(first_column_, right.select(0, 0));
}

torch::Tensor Rows::transposed_times(const torch::Tensor& d) const {
  check_shape(d, {rows(), kAny}, "right factor of a transposed product with rows");
  const torch::NoGradGuard no_grad;
  if (!is_sparse()) return d.size(1) < cols() ? d.t().mm(dense_).t() : dense_.t().mm(d);
  const torch::Tensor first = first_column_.unsqueeze(0).mm(d);               // [1, width]
  return torch::cat({first, csr_transposed_times(*sparse_, values_, d)}, 0);  // [in, width]
}

torch::Tensor Rows::matmul(const torch::Tensor& m) const {
  if (!is_sparse()) return dense_.mm(m);
  return with_backward(times(m), {m}, [rows = *this](const torch::Tensor& gradient, const auto&) {
    return std::vector{rows.transposed_times(gradient)};
  });
}

Rows Rows::dropout(double p, const CounterRng& rng) const {
  if (p == 0) return *this;
  const auto drawn = dtype() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const torch::Tensor factors =
      device().is_cuda() ? dropout_keeps_on_gpu({rng}, stored(), p, device()).view({-1}).to(dtype()).mul_(1 / (1 - p))
                         : dropout_factors(stored(), p, rng, drawn).to(dtype());
  if (!is_sparse()) return dense_ * factors.view_as(dense_);
  Rows dropped = *this;
  dropped.first_column_ = first_column_ * factors.narrow(0, 0, rows());
  dropped.values_ = values_ * factors.narrow(0, rows(), sparse_->nonzeros());
  return dropped;
}

Rows Rows::relu() const {
  if (!is_sparse()) return dense_.relu();
  Rows positive = *this;
  positive.first_column_ = first_column_.relu();
  positive.values_ = values_.relu();
  return positive;
}

}  // namespace sst::tensor
