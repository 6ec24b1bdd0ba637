#include "tensor/rounding.hpp"

#include <torch/types.h>

#include <limits>

#include "tests/support/catch.hpp"

namespace sst::tensor {
namespace {

const CounterRng kDraws(3, Stream::kMethod, 1);

torch::Tensor bfloat16(double value) { return torch::scalar_tensor(value, torch::kFloat64).to(torch::kBFloat16); }

}  // namespace

TEST_CASE("bfloat16 keeps eight significant bits", "[tensor]") {
  CHECK(bfloat16(1 + 1.0 / 256).item<double>() == 1);
  CHECK(bfloat16(1 + 1.0 / 128).item<double>() == 1.0078125);
  // An update of 1e-4 on a weight of 1 is lost, and kept by a float32 master.
  CHECK((bfloat16(1) - bfloat16(1e-4)).item<double>() == 1);
  CHECK((torch::ones({}) - 1e-4).item<double>() < 1);
}

TEST_CASE("stochastic rounding keeps the expectation, and gives neighbours only", "[tensor]") {
  constexpr double kSpacing = 1.0 / 128, kShare = 0.3;
  for (const double sign : {1.0, -1.0}) {
    const torch::Tensor wide = torch::full({200, 500}, sign * (1 + kShare * kSpacing));
    const torch::Tensor rounded = stochastically_rounded(wide, kDraws).to(torch::kFloat64) * sign;
    const torch::Tensor up = rounded.eq(1 + kSpacing);
    CHECK(up.logical_or(rounded.eq(1)).all().item<bool>());
    CHECK(up.to(torch::kFloat64).mean().item<double>() == Approx(kShare).margin(0.006));  // four standard deviations
  }
}

TEST_CASE("what bfloat16 has, infinities and NaN are not rounded, and the same draws give the same bits", "[tensor]") {
  const float infinity = std::numeric_limits<float>::infinity();
  const torch::Tensor exact = torch::tensor({0.0F, 1.0F, -2.5F, 96.0F, infinity, -infinity});
  CHECK(torch::equal(stochastically_rounded(exact, kDraws), exact.to(torch::kBFloat16)));
  CHECK(stochastically_rounded(torch::full({9}, std::nan("")), kDraws).isnan().all().item<bool>());
  const torch::Tensor wide = torch::linspace(0.1, 2, 101);
  CHECK(torch::equal(stochastically_rounded(wide, kDraws), stochastically_rounded(wide, kDraws)));
  CHECK_FALSE(
      torch::equal(stochastically_rounded(wide, kDraws), stochastically_rounded(wide, {3, Stream::kMethod, 2})));
}

}  // namespace sst::tensor
