#include "nn/norm.hpp"

namespace sst::nn {

LayerNorm::LayerNorm(int64_t width, double eps, const Build& build, bool bias)
    : eps_(eps), weight_(register_parameter("weight", torch::ones({width}, build.tensors))) {
  if (bias) bias_ = register_parameter("bias", torch::zeros({width}, build.tensors));
}

torch::Tensor LayerNorm::forward(const torch::Tensor& x) const {
  return torch::layer_norm(x, weight_.sizes(), weight_, bias_, eps_);
}

RmsNorm::RmsNorm(int64_t width, double eps, const Build& build)
    : eps_(eps), weight_(register_parameter("weight", torch::ones({width}, build.tensors))) {}

torch::Tensor RmsNorm::forward(const torch::Tensor& x) const {
  return torch::rms_norm(x, weight_.sizes(), weight_, eps_);
}

}  // namespace sst::nn
