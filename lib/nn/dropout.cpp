#include "nn/dropout.hpp"

#include <vector>

#include "tensor/random.hpp"

namespace sst::nn {

torch::Tensor dropout(const torch::Tensor& x, double p, const Pass& pass, const std::string& layer) {
  if (!pass.training || p == 0) return x;
  const int64_t batch = x.size(0);
  const auto drawn = x.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  // Drawn on the CPU wherever x lives: the same bits on every device, for the price of a copy to a GPU.
  std::vector<torch::Tensor> factors;
  for (int64_t row = 0; row < batch; ++row)
    factors.push_back(
        tensor::dropout_factors(x.numel() / batch, p, pass.dropout_rng(layer, pass.first_row + row), drawn));
  return x * torch::stack(factors).to(x.options()).view(x.sizes());
}

}  // namespace sst::nn
