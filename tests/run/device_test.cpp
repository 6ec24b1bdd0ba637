#include "run/device.hpp"

#include "core/error.hpp"
#include "tests/support/catch.hpp"

namespace sst::run {
namespace {

TEST_CASE("each process of a machine has a GPU of its own", "[run]") {
  const std::string name = GENERATE("auto", "cuda");
  for (int64_t local_rank = 0; local_rank < 4; ++local_rank)
    CHECK(device_among(name, 4, local_rank) == torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(local_rank)));
}

TEST_CASE("a launcher that shows each process one GPU has chosen it already", "[run]") {
  CHECK(device_among("auto", 1, 3) == torch::Device(torch::kCUDA, 0));
}

TEST_CASE("a GPU by its number is that one for every process", "[run]") {
  CHECK(device_among("cuda:1", 4, 3) == torch::Device(torch::kCUDA, 1));
}

TEST_CASE("without a GPU there is the CPU, unless one is asked for", "[run]") {
  CHECK(device_among("auto", 0, 1) == torch::kCPU);
  CHECK(device_among("cpu", 2, 1) == torch::kCPU);
  CHECK_THROWS_AS(device_among("cuda", 0, 0), UserError);
  CHECK_THROWS_AS(device_among("cuda:2", 2, 0), UserError);
}

}  // namespace
}  // namespace sst::run
