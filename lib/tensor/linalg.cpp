#include "tensor/linalg.hpp"

#include "core/error.hpp"
#include "tensor/random.hpp"
#include "tensor/shape.hpp"

namespace sst::tensor {
namespace {

torch::Tensor at_least_float32(const torch::Tensor& x) {
  return x.scalar_type() == torch::kFloat64 ? x.detach() : x.detach().to(torch::kFloat32);
}

}  // namespace

ThinSvd thin_svd(const torch::Tensor& a) {
  check_shape(a, {kAny, kAny}, "matrix to decompose");
  const torch::Tensor matrix = at_least_float32(a);
  require(matrix.is_meta() || matrix.isfinite().all().item<bool>(),
          "the matrix to decompose has entries that are not finite");
  const auto [u, s, vt] = torch::linalg_svd(matrix, /*full_matrices=*/false);
  return {u, s, vt};
}

ThinSvd randomized_svd(const torch::Tensor& a, int64_t rank, CounterRng rng) {
  check_shape(a, {kAny, kAny}, "matrix to decompose");
  const torch::Tensor matrix = at_least_float32(a);
  const torch::Tensor probe = normal({matrix.size(1), rank}, 0, 1, rng, matrix.options());  // [n, rank]
  torch::Tensor q = std::get<0>(torch::linalg_qr(matrix.mm(probe)));                        // [m, rank]
  for (int iteration = 0; iteration < 2; ++iteration) {
    q = std::get<0>(torch::linalg_qr(matrix.t().mm(q)));  // [n, rank]
    q = std::get<0>(torch::linalg_qr(matrix.mm(q)));      // [m, rank]
  }
  const ThinSvd small = thin_svd(q.t().mm(matrix));  // of [rank, n]
  return {q.mm(small.u), small.s, small.vt};
}

double orthogonality_error(const torch::Tensor& q) {
  check_shape(q, {kAny, kAny}, "basis");
  const torch::Tensor basis = at_least_float32(q);
  const torch::Tensor gram = basis.t().mm(basis);  // [k, k]
  return (gram - torch::eye(gram.size(0), gram.options())).abs().max().item<double>();
}

torch::Tensor singular_values(const torch::Tensor& a) { return torch::linalg_svdvals(at_least_float32(a)); }

double spectral_norm(const torch::Tensor& a) { return singular_values(a).max().item<double>(); }

double stable_rank(const torch::Tensor& s) {
  const torch::Tensor squares = s.detach().to(torch::kFloat64).square();
  const double largest = squares.max().item<double>();
  return largest > 0 ? squares.sum().item<double>() / largest : 0;
}

double effective_rank(const torch::Tensor& s) {
  const torch::Tensor values = s.detach().to(torch::kFloat64);
  const double total = values.sum().item<double>();
  if (!(total > 0)) return 0;
  const torch::Tensor shares = values / total;
  return std::exp(-torch::xlogy(shares, shares).sum().item<double>());
}

}  // namespace sst::tensor
