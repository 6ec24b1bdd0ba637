#include "nn/top_words.hpp"

namespace sst::nn {

TopWords top_words(const torch::Tensor& scores, int64_t count) {
  const torch::NoGradGuard no_grad;
  const auto wide = scores.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const torch::Tensor exact = scores.to(wide);
  const auto [values, words] = exact.topk(count, /*dim=*/1);
  return {(values - torch::logsumexp(exact, 1, /*keepdim=*/true)).to(torch::kCPU, torch::kFloat64), words.cpu()};
}

}  // namespace sst::nn
