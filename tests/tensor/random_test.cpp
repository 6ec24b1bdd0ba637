#include "tensor/random.hpp"

#include <torch/utils.h>

#include "tests/support/catch.hpp"

namespace sst::tensor {
namespace {

const CounterRng kRng(5, Stream::kInit, 1);

}  // namespace

TEST_CASE("draws stay in their range and have their moments", "[tensor]") {
  const torch::Tensor flat = uniform({200, 500}, -2, 3, kRng, torch::kFloat64);
  CHECK(flat.min().item<double>() >= -2);
  CHECK(flat.max().item<double>() < 3);
  CHECK(flat.mean().item<double>() == Approx(0.5).margin(0.03));
  const torch::Tensor bell = normal({200, 500}, 1, 2, kRng, torch::kFloat64);
  CHECK(bell.mean().item<double>() == Approx(1).margin(0.04));
  CHECK(bell.std().item<double>() == Approx(2).margin(0.04));
}

TEST_CASE("float32 draws are the rounded float64 draws", "[tensor]") {
  CHECK(torch::equal(uniform({7, 3}, -1, 1, kRng), uniform({7, 3}, -1, 1, kRng, torch::kFloat64).to(torch::kFloat32)));
  CHECK(torch::equal(normal({7, 3}, 0, 1, kRng), normal({7, 3}, 0, 1, kRng, torch::kFloat64).to(torch::kFloat32)));
  CHECK_FALSE(torch::equal(uniform({7}, 0, 1, kRng), uniform({7}, 0, 1, {5, Stream::kInit, 2})));
}

TEST_CASE("a tensor holds what its stream gives one number after the other", "[tensor][random]") {
  const torch::Tensor flat = uniform({9, 111}, -2, 3, kRng, torch::kFloat64);
  const torch::Tensor bell = normal({9, 111}, 1, 2, kRng, torch::kFloat64);
  CounterRng flat_stream = kRng, bell_stream = kRng;
  for (int64_t i = 0; i < flat.numel(); ++i) {
    REQUIRE(flat.view(-1)[i].item<double>() == -2 + 5 * flat_stream.uniform());
    REQUIRE(bell.view(-1)[i].item<double>() == 1 + 2 * bell_stream.normal());
  }
}

TEST_CASE("a permutation holds every number once and depends on its stream", "[tensor]") {
  const torch::Tensor order = permutation(100, kRng);
  CHECK(torch::equal(std::get<0>(order.sort()), torch::arange(100, torch::kInt64)));
  CHECK_FALSE(torch::equal(order, torch::arange(100, torch::kInt64)));
  CHECK(torch::equal(order, permutation(100, kRng)));
  CHECK_FALSE(torch::equal(order, permutation(100, {6, Stream::kInit, 1})));
}

TEST_CASE("a dropout mask's first factors do not depend on how many follow", "[tensor]") {
  const torch::Tensor all = dropout_factors(5000, 0.5, kRng, torch::kFloat32);
  for (const int64_t count : {1, 3, 511, 513, 1027})
    CHECK(torch::equal(dropout_factors(count, 0.5, kRng, torch::kFloat32), all.narrow(0, 0, count)));
  CHECK(torch::logical_or(all == 0, all == 2).all().item<bool>());
  CHECK(all.mean().item<double>() == Approx(1).margin(0.07));  // ± 5 standard deviations
}

TEST_CASE("a dropout mask has the same bits for one thread and for several", "[tensor]") {
  const int threads = torch::get_num_threads();
  torch::set_num_threads(1);
  const torch::Tensor one = dropout_factors(200000, 0.3, kRng, torch::kFloat32);
  torch::set_num_threads(4);
  CHECK(torch::equal(dropout_factors(200000, 0.3, kRng, torch::kFloat32), one));
  torch::set_num_threads(threads);
}

}  // namespace sst::tensor
