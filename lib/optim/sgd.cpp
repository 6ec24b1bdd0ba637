#include "optim/sgd.hpp"

namespace sst::optim {

using torch::Tensor;

Moments Sgd::zero_moments(const Tensor& gradient, Geometry) const {
  if (options_.momentum == 0) return {};
  return {{"momentum_buffer", torch::zeros_like(gradient, at::MemoryFormat::Contiguous)}};
}

Tensor Sgd::direction(const Tensor& gradient, State& state) const {
  if (options_.momentum == 0) return gradient;
  return state.moments.at("momentum_buffer").mul_(options_.momentum).add_(gradient);
}

}  // namespace sst::optim
