#include "tensor/linalg.hpp"

#include "tensor/random.hpp"
#include "tests/support/catch.hpp"

namespace sst::tensor {
namespace {

using testing::kRounding;

}  // namespace

TEST_CASE("a thin SVD has thin orthonormal factors, sorted values, and gives the matrix back", "[tensor]") {
  const auto [m, n] =
      GENERATE(std::pair<int64_t, int64_t>{5, 3}, std::pair<int64_t, int64_t>{3, 5}, std::pair<int64_t, int64_t>{4, 4});
  const torch::Tensor a = normal({m, n}, 0, 1, {1, Stream::kInit}, torch::kFloat64);
  const auto [u, s, vt] = thin_svd(a);
  const int64_t k = std::min(m, n);
  CHECK(u.sizes() == torch::IntArrayRef({m, k}));
  CHECK(vt.sizes() == torch::IntArrayRef({k, n}));
  CHECK(torch::allclose((u * s).mm(vt), a, kRounding, kRounding));
  CHECK(orthogonality_error(u) < kRounding);
  CHECK(orthogonality_error(vt.t()) < kRounding);
  CHECK((s.diff() <= 0).all().item<bool>());
  CHECK(spectral_norm(a) == Approx(s[0].item<double>()));
}

TEST_CASE("a half precision matrix is decomposed in float32, one that is not finite is refused", "[tensor]") {
  const torch::Tensor a = normal({4, 3}, 0, 1, {1, Stream::kInit}).to(torch::kBFloat16);
  CHECK(thin_svd(a).s.scalar_type() == torch::kFloat32);
  CHECK_THROWS_AS(thin_svd(torch::full({2, 2}, NAN)), std::logic_error);
}

TEST_CASE("ranks of hand-made spectra", "[tensor]") {
  const auto spectrum = [](std::vector<double> s) { return torch::tensor(s, torch::kFloat64); };
  CHECK(stable_rank(spectrum({2, 2, 2, 0})) == Approx(3));
  CHECK(stable_rank(spectrum({2, 1})) == Approx(1.25));
  CHECK(effective_rank(spectrum({2, 2, 2, 0})) == Approx(3));
  CHECK(effective_rank(spectrum({5, 0})) == Approx(1));
  CHECK(stable_rank(spectrum({0, 0})) == 0);
  CHECK(effective_rank(spectrum({0, 0})) == 0);
}

TEST_CASE("the orthogonality error is the largest entry of QtQ - I", "[tensor]") {
  CHECK(orthogonality_error(torch::tensor({{1., 0.}, {0., 2.}}, torch::kFloat64)) == Approx(3));
  CHECK(orthogonality_error(torch::tensor({{1.}, {0.5}}, torch::kFloat64)) == Approx(0.25));
}

}  // namespace sst::tensor
