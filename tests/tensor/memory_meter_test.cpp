#include "tensor/memory_meter.hpp"

#include <torch/types.h>
#include <torch/utils.h>

#include <optional>
#include <thread>

#include "tests/support/catch.hpp"

namespace sst::tensor {

constexpr int64_t kMebibyte = 1 << 20;
// LibTorch rounds nothing up: a CPU tensor of n bytes is an allocation of n bytes.
constexpr int64_t kFloatsInMebibyte = kMebibyte / 4;

TEST_CASE("the meter counts live and peak bytes of tensors exactly", "[tensor]") {
  const torch::NoGradGuard no_grad;
  const TensorMemoryMeter meter;
  torch::Tensor kept = torch::empty({3 * kFloatsInMebibyte});
  CHECK(meter.live_bytes() == 3 * kMebibyte);
  { const torch::Tensor passing = torch::empty({5 * kFloatsInMebibyte}); }
  CHECK(meter.live_bytes() == 3 * kMebibyte);
  CHECK(meter.peak_bytes() == 8 * kMebibyte);
  kept.reset();
  CHECK(meter.live_bytes() == 0);
  CHECK(meter.peak_bytes() == 8 * kMebibyte);
}

TEST_CASE("the meter sees what a backward pass makes", "[tensor]") {
  const TensorMemoryMeter meter;
  const auto weight = torch::ones({kFloatsInMebibyte}).requires_grad_();
  const auto loss = (weight * weight).sum();
  const int64_t before = meter.live_bytes();
  loss.backward();
  CHECK(weight.grad().nbytes() == static_cast<size_t>(kMebibyte));
  CHECK(meter.live_bytes() >= before + kMebibyte);
  CHECK(meter.peak_bytes() >= before + 2 * kMebibyte);  // the gradient and the product of each branch
}

TEST_CASE("meters follow one another and nest, the inner one counting", "[tensor]") {
  const TensorMemoryMeter outer;
  {
    const TensorMemoryMeter inner;
    const auto tensor = torch::empty({kFloatsInMebibyte});
    CHECK(inner.live_bytes() == kMebibyte);
    CHECK(outer.live_bytes() == 0);
  }
  const auto tensor = torch::empty({2 * kFloatsInMebibyte});
  CHECK(outer.peak_bytes() == 2 * kMebibyte);
}

TEST_CASE("an outer meter counts too where it is asked to", "[tensor]") {
  const TensorMemoryMeter outer;
  torch::Tensor kept;
  {
    const TensorMemoryMeter inner(c10::DeviceType::CPU, TensorMemoryMeter::Outer::kCountsToo);
    kept = torch::empty({kFloatsInMebibyte});
    torch::empty({kFloatsInMebibyte});
    CHECK(inner.peak_bytes() == 2 * kMebibyte);
  }
  CHECK(outer.live_bytes() == kMebibyte);
  CHECK(outer.peak_bytes() == 2 * kMebibyte);
}

TEST_CASE("another thread's tensors are not this run's", "[tensor]") {
  const TensorMemoryMeter meter;
  std::thread([] { torch::empty({kFloatsInMebibyte}); }).join();
  CHECK(meter.peak_bytes() == 0);
}

}  // namespace sst::tensor
