#include "nn/loss.hpp"

#include "tensor/shape.hpp"

namespace sst::nn {
namespace {

void check_pairs(const torch::Tensor& positive, const torch::Tensor& negative) {
  tensor::check_shape(positive, {tensor::kAny}, "scores of linked pairs");
  tensor::check_shape(negative, {positive.size(0)}, "scores of pairs without a link");
}

}  // namespace

LossSum margin_loss(const torch::Tensor& logits, const torch::Tensor& labels, double margin) {
  tensor::check_shape(logits, {tensor::kAny, tensor::kAny}, "logits");
  tensor::check_shape(labels, {logits.size(0)}, "labels");
  const torch::Tensor own = logits.gather(1, labels.unsqueeze(1));  // [nodes, 1]
  return {(logits - (own - margin)).relu().sum(), static_cast<double>(logits.numel())};
}

LossSum link_margin_loss(const torch::Tensor& positive, const torch::Tensor& negative, double margin) {
  check_pairs(positive, negative);
  const auto pairs = static_cast<double>(positive.size(0));
  return {(negative - positive + margin).relu().sum() + margin * pairs, 2 * pairs};
}

LossSum cross_entropy_loss(const torch::Tensor& logits, const torch::Tensor& labels) {
  tensor::check_shape(logits, {tensor::kAny, tensor::kAny}, "logits");
  tensor::check_shape(labels, {logits.size(0)}, "labels");
  return {torch::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum), static_cast<double>(labels.size(0))};
}

LossSum link_cross_entropy_loss(const torch::Tensor& positive, const torch::Tensor& negative) {
  check_pairs(positive, negative);
  const auto entropy = [](const torch::Tensor& probability, double target) {
    return torch::binary_cross_entropy(probability, torch::full_like(probability, target), {}, at::Reduction::Sum);
  };
  return {entropy(positive, 1) + entropy(negative, 0), static_cast<double>(positive.size(0))};
}

}  // namespace sst::nn
