#include "tensor/rows.hpp"

#include <torch/types.h>
#include <torch/utils.h>

#include "tensor/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/sparse.hpp"

namespace sst::tensor {
namespace {

using testing::kRounding;

CounterRng rng(uint64_t index) { return {11, Stream::kInit, index}; }

/// Random matrix with about a third of its entries, an empty row and an empty column among them.
std::shared_ptr<const CsrMatrix> random_sparse(int64_t rows, int64_t cols, torch::Dtype dtype = torch::kFloat64) {
  torch::Tensor dense = normal({rows, cols}, 0, 1, rng(1), dtype);
  dense = torch::where(uniform({rows, cols}, 0, 1, rng(2), dtype) < 0.3, dense, torch::zeros({}, dtype));
  dense.select(0, rows / 2).zero_();
  dense.select(1, cols / 2).zero_();
  return testing::to_csr(dense);
}

torch::Tensor dense_of(const CsrMatrix& a) { return to_dense(a, a.values); }

Rows random_rows(bool sparse, int64_t rows, int64_t cols) {
  const torch::Tensor first = normal({rows}, 1, 0.1, rng(3), torch::kFloat64);
  if (sparse) return {first, random_sparse(rows, cols - 1)};
  return torch::cat({first.unsqueeze(1), normal({rows, cols - 1}, 0, 1, rng(4), torch::kFloat64)}, 1);
}

bool close(const torch::Tensor& a, const torch::Tensor& b) { return torch::allclose(a, b, kRounding, kRounding); }

}  // namespace

TEST_CASE("a CSR matrix stands for the dense matrix it was made of", "[tensor]") {
  const torch::Tensor dense = torch::tensor({{0., 2., 0.}, {0., 0., 0.}, {3., 0., 4.}}, torch::kFloat64);
  const auto a = testing::to_csr(dense);
  CHECK(a->nonzeros() == 3);
  CHECK(torch::equal(dense_of(*a), dense));
  CHECK(torch::equal(a->transposed_indptr, torch::tensor({0, 1, 2, 3}, torch::kInt64)));
  CHECK(torch::equal(a->transposed_indices, torch::tensor({2, 0, 2}, torch::kInt64)));
  CHECK(torch::equal(a->transposed_order, torch::tensor({1, 0, 2}, torch::kInt64)));
}

TEST_CASE("sparse products equal dense products at every width", "[tensor]") {
  const auto a = random_sparse(23, 17);
  const int64_t width = GENERATE(1, 2, 3, 7, 8, 16, 31, 64);
  CAPTURE(width);
  const torch::Tensor x = normal({17, width}, 0, 1, rng(5), torch::kFloat64);
  const torch::Tensor d = normal({23, width}, 0, 1, rng(6), torch::kFloat64);
  CHECK(close(csr_times(*a, a->values, x), dense_of(*a).mm(x)));
  CHECK(close(csr_transposed_times(*a, a->values, d), dense_of(*a).t().mm(d)));
  CHECK(close(csr_times(*a, a->values, x.t().contiguous().t()), dense_of(*a).mm(x)));
}

TEST_CASE("sparse products have the same bits with one thread and with several", "[tensor]") {
  const auto a = random_sparse(700, 500, torch::kFloat32);
  const torch::Tensor x = normal({500, 16}, 0, 1, rng(5)), d = normal({700, 16}, 0, 1, rng(6));
  const int threads = torch::get_num_threads();
  torch::set_num_threads(1);
  const torch::Tensor product = csr_times(*a, a->values, x), transposed = csr_transposed_times(*a, a->values, d);
  torch::set_num_threads(4);
  CHECK(torch::equal(csr_times(*a, a->values, x), product));
  CHECK(torch::equal(csr_transposed_times(*a, a->values, d), transposed));
  torch::set_num_threads(threads);
}

TEST_CASE("the gradient of a sparse product is the transposed product", "[tensor]") {
  const auto a = random_sparse(9, 6);
  const torch::Tensor x = normal({6, 4}, 0, 1, rng(5), torch::kFloat64).requires_grad_();
  const torch::Tensor d = normal({9, 4}, 0, 1, rng(6), torch::kFloat64);
  const torch::Tensor y = csr_matmul(a, x);
  CHECK(close(y, dense_of(*a).mm(x)));
  y.backward(d);
  CHECK(close(x.grad(), dense_of(*a).t().mm(d)));
}

TEST_CASE("make_csr refuses arrays that are no CSR matrix", "[tensor]") {
  const auto ints = [](std::vector<int64_t> v) { return torch::tensor(v, torch::kInt64); };
  const torch::Tensor two = torch::ones({2});
  CHECK_NOTHROW(make_csr(2, 3, ints({0, 1, 2}), ints({0, 2}), two));
  CHECK_THROWS_AS(make_csr(2, 3, ints({0, 1}), ints({0, 2}), two), std::logic_error);
  CHECK_THROWS_AS(make_csr(2, 3, ints({0, 1, 3}), ints({0, 2}), two), std::logic_error);
  CHECK_THROWS_AS(make_csr(2, 3, ints({0, 1, 2}), ints({0, 3}), two), std::logic_error);
  CHECK_THROWS_AS(make_csr(1, 3, ints({0, 2}), ints({2, 0}), two), std::logic_error);
  CHECK_THROWS_AS(make_csr(2, 3, ints({0, 1, 2}), ints({0, 2}), torch::ones({3})), std::logic_error);
}

TEST_CASE("rows multiply as the dense matrix they stand for", "[tensor]") {
  const bool sparse = GENERATE(false, true);
  CAPTURE(sparse);
  const Rows rows = random_rows(sparse, 8, 5);
  CHECK(rows.rows() == 8);
  CHECK(rows.cols() == 5);
  const torch::Tensor dense = rows.to_dense();
  const torch::Tensor m = normal({5, 3}, 0, 1, rng(7), torch::kFloat64).requires_grad_();
  const torch::Tensor d = normal({8, 3}, 0, 1, rng(8), torch::kFloat64);
  CHECK(close(rows.times(m), dense.mm(m)));
  CHECK(close(rows.transposed_times(d), dense.t().mm(d)));
  const torch::Tensor y = rows.matmul(m);
  CHECK(close(y, dense.mm(m)));
  y.backward(d);
  CHECK(close(m.grad(), dense.t().mm(d)));
  CHECK(close(rows.relu().to_dense(), dense.relu()));
}

TEST_CASE("dense rows pass the gradient on to what they were made of", "[tensor]") {
  const torch::Tensor x = normal({8, 5}, 0, 1, rng(4), torch::kFloat64).requires_grad_();
  const torch::Tensor m = normal({5, 3}, 0, 1, rng(7), torch::kFloat64);
  const torch::Tensor d = normal({8, 3}, 0, 1, rng(8), torch::kFloat64);
  Rows(x).relu().matmul(m).backward(d);
  CHECK(close(x.grad(), d.mm(m.t()) * (x > 0)));
}

TEST_CASE("dropout keeps the expectation and is a pure function of its stream", "[tensor]") {
  const bool sparse = GENERATE(false, true);
  CAPTURE(sparse);
  const Rows rows = random_rows(sparse, 400, 60);
  const CounterRng mask(3, Stream::kDropout, 5);
  const torch::Tensor before = rows.to_dense(), after = rows.dropout(0.8, mask).to_dense();
  CHECK(torch::equal(after, rows.dropout(0.8, mask).to_dense()));
  CHECK_FALSE(torch::equal(after, rows.dropout(0.8, {3, Stream::kDropout, 6}).to_dense()));

  const torch::Tensor kept = after != 0;
  CHECK(close(after.masked_select(kept), before.masked_select(kept) * 5.0));
  // 0.2 · stored entries stay, ± 5 standard deviations; the time entries are dropped like the others.
  const auto share = [&](const torch::Tensor& now, const torch::Tensor& then) {
    const double n = (then != 0).sum().item<double>();
    return std::pair{(now != 0).sum().item<double>() / n, 5 * std::sqrt(0.2 * 0.8 / n)};
  };
  const auto [all, all_margin] = share(after, before);
  CHECK(all == Approx(0.2).margin(all_margin));
  const auto [time, time_margin] = share(after.select(1, 0), before.select(1, 0));
  CHECK(time == Approx(0.2).margin(time_margin));
}

TEST_CASE("dropout with probability zero returns the rows themselves", "[tensor]") {
  const Rows rows = random_rows(false, 4, 3);
  CHECK(rows.dropout(0, {1, Stream::kDropout}).dense().is_same(rows.dense()));
  CHECK_THROWS_AS(rows.dropout(1, {1, Stream::kDropout}), std::logic_error);
}

TEST_CASE("sparse rows have no dense tensor, and misfits are named", "[tensor]") {
  const Rows rows = random_rows(true, 8, 5);
  CHECK_THROWS_AS(rows.dense(), std::logic_error);
  CHECK_THROWS_WITH(rows.times(torch::ones({4, 2}, torch::kFloat64)), ContainsSubstring("[4, 2], expected [5, *]"));
  CHECK_THROWS_AS(Rows(torch::ones({7}, torch::kFloat64), random_sparse(8, 4)), std::logic_error);
}

}  // namespace sst::tensor
