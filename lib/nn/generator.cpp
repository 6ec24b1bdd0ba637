#include "nn/generator.hpp"

#include "nn/compute.hpp"

namespace sst::nn {

LinearGenerator::LinearGenerator(int64_t hidden_size, int64_t words, const Build& build, const std::string& name) {
  const LinearSpec spec{.in = hidden_size, .out = words, .name = name + ".proj", .in_block = false};
  map_ = register_module("proj", xavier_linear(build, spec));
}

LinearGenerator::LinearGenerator(std::shared_ptr<Embedding> words, const Build& build) : words_(std::move(words)) {
  bias_ = register_parameter("bias", torch::zeros({words_->weight().size(0)}, build.tensors));
}

torch::Tensor LinearGenerator::forward(const torch::Tensor& h, const Pass& pass) {
  if (map_) return map_->forward(h, pass);
  return torch::linear(in_compute_type(h, pass), in_compute_type(words_->weight(), pass), in_compute_type(bias_, pass));
}

TokenLoss LinearGenerator::loss(const torch::Tensor& h, const torch::Tensor& targets, const TokenLossOptions& options,
                                const Pass& pass) {
  if (!map_) return token_loss(h, words_->weight(), bias_, targets, options);
  if (const auto* dense = dynamic_cast<const DenseLinear*>(map_.get()))
    return token_loss(h, dense->weight(), dense->bias(), targets, options);
  return token_loss_of_scores(map_->forward(h, pass), targets, options);
}

LorentzGenerator::LorentzGenerator(const std::shared_ptr<Embedding>& words, bool shares_words) {
  const torch::Tensor& points = words->weight();
  if (shares_words)
    words_ = words;
  else
    cls_ = register_parameter("cls", points.detach().clone());
  bias_ = register_parameter("bias", torch::zeros({points.size(0)}, points.options().requires_grad(false)));
  metric_ = torch::full({points.size(1)}, 2, points.options().requires_grad(false));
  metric_[0] = -2;
}

torch::Tensor LorentzGenerator::forward(const torch::Tensor& h, const Pass&) {
  return torch::addmm(bias_ + 2, h * metric_, (words_ ? words_->weight() : cls_).t());
}

TokenLoss LorentzGenerator::loss(const torch::Tensor& h, const torch::Tensor& targets, const TokenLossOptions& options,
                                 const Pass&) {
  TokenLossOptions exact = options;
  exact.compute = {};  // time entries of far points lose their digits in less than float32
  return token_loss(h * metric_, words_ ? words_->weight() : cls_, bias_ + 2, targets, exact);
}

}  // namespace sst::nn
