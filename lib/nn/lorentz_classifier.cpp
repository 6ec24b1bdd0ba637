#include "nn/lorentz_classifier.hpp"

#include "tensor/lorentz.hpp"
#include "tensor/random.hpp"
#include "tensor/shape.hpp"

namespace sst::nn {

LorentzClassifier::LorentzClassifier(int64_t classes, int64_t dim, const Build& build, const std::string& name) {
  const torch::Tensor draw = tensor::normal({classes, dim}, 0, 1, build.init_rng(name + ".cls"), build.tensors);
  const torch::Tensor direction =
      draw / draw.norm(2, /*dim=*/1, /*keepdim=*/true);  // time entry included, as published
  cls_ = register_parameter("cls", tensor::lorentz::expmap0(direction));
  bias_ = register_parameter("bias", torch::zeros({classes}, build.tensors));
  metric_ = torch::full({dim}, 2, build.tensors);
  metric_[0] = -2;
}

torch::Tensor LorentzClassifier::forward(const torch::Tensor& h) const {
  tensor::check_shape(h, {tensor::kAny, cls_.size(1)}, "embeddings to classify");
  return torch::addmm(bias_ + 2, h, (cls_ * metric_).t());  // [nodes, classes]
}

}  // namespace sst::nn
