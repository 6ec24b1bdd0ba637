#include "tensor/rounding.hpp"

#include <vector>

#include "core/error.hpp"

namespace sst::tensor {

torch::Tensor stochastically_rounded(const torch::Tensor& wide, const CounterRng& rng) {
  require(wide.scalar_type() == torch::kFloat32, "only float32 is rounded to bfloat16");
  // The low 16 bits of a float32 are what bfloat16 drops: adding a uniform number below 2^16 before dropping them carries
  // into the kept ones with just the probability wanted.
  constexpr int32_t kDropped = 0xFFFF;
  const int64_t count = wide.numel();
  std::vector<uint32_t> words(static_cast<size_t>((count + 1) / 2));
  rng.fill(0, words);
  torch::Tensor draws = torch::empty({count}, torch::kInt32);
  auto* const to = draws.mutable_data_ptr<int32_t>();
  for (int64_t i = 0; i < count; ++i)
    to[i] = static_cast<int32_t>(words[static_cast<size_t>(i / 2)] >> (i % 2 == 0 ? 0 : 16) & kDropped);
  const torch::Tensor x = wide.contiguous();
  const torch::Tensor bits = x.view(torch::kInt32);
  const torch::Tensor rounded = (bits + draws.view(x.sizes()).to(x.device())).bitwise_and(~kDropped);
  return torch::where(x.isfinite(), rounded.view(torch::kFloat32), x).to(torch::kBFloat16);
}

}  // namespace sst::tensor
