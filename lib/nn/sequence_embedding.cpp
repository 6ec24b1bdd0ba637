#include "nn/sequence_embedding.hpp"

#include <cmath>

#include "nn/dropout.hpp"

namespace sst::nn {

torch::Tensor sinusoids(int64_t positions, int64_t width, const torch::TensorOptions& tensors) {
  const auto single = torch::TensorOptions(torch::kFloat32);
  const torch::Tensor rates =
      (torch::arange(0, width, 2, single) * (-std::log(10000.0) / static_cast<double>(width))).exp();
  const torch::Tensor angles = torch::arange(positions, single).unsqueeze(1) * rates;  // [positions, ⌈width / 2⌉]
  const torch::Tensor pairs = torch::stack({angles.sin(), angles.cos()}, 2);  // [positions, ⌈width / 2⌉, 2]
  return pairs.view({positions, -1}).narrow(1, 0, width).contiguous().to(tensors);
}

SinusoidalEmbedding::SinusoidalEmbedding(const Options& options, const Build& build, const std::string& name,
                                         std::shared_ptr<Embedding> shared_words)
    : dropout_(options.dropout),
      name_(name),
      words_(std::move(shared_words)),
      positions_(sinusoids(options.positions, options.width, build.tensors)) {
  if (words_) return;
  const torch::Tensor initial = build.xavier_matrix({options.rows, options.width}, name + ".words.weight");
  words_ = register_module("words", std::make_shared<Embedding>(initial, options.padding_row));
}

torch::Tensor SinusoidalEmbedding::forward(const torch::Tensor& ids, int64_t first, const Pass& pass) {
  const torch::Tensor words = words_->forward(ids);  // [batch, time, width]
  const double scale = std::sqrt(static_cast<double>(words.size(2)));
  return dropout(torch::add(positions_.narrow(0, first, ids.size(1)), words, scale), dropout_, pass, name_);
}

}  // namespace sst::nn
