#include "nn/lorentz_embedding.hpp"

#include "tensor/lorentz.hpp"
#include "tensor/random.hpp"

namespace sst::nn {
namespace {

constexpr double kWordDropout = 0.1, kPositionDeviation = 0.02;

}  // namespace

torch::Tensor random_points(int64_t rows, int64_t dim, const Build& build, const std::string& tensor_name) {
  const torch::Tensor draw = tensor::normal({rows, dim}, 0, 1, build.init_rng(tensor_name), build.tensors);
  return tensor::lorentz::expmap0(draw / draw.norm(2, /*dim=*/1, /*keepdim=*/true));
}

LorentzEmbedding::LorentzEmbedding(const Options& options, const Build& build, const std::string& name,
                                   std::shared_ptr<Embedding> shared_words)
    : words_(std::move(shared_words)) {
  if (!words_)
    words_ = register_module("words", std::make_shared<Embedding>(
                                          random_points(options.rows, options.width, build, name + ".words.weight")));
  const EmbeddingOptions positions{.rows = options.positions, .width = options.width, .init_std = kPositionDeviation};
  positions_ = register_module("positions", std::make_shared<Embedding>(positions, build, name + ".positions"));
  linear_ = register_module(
      "linear",
      std::make_shared<LorentzLinear>(
          translation_linear({.in = options.width, .out = options.width, .dropout = kWordDropout, .in_block = false}),
          build, name + ".linear"));
}

torch::Tensor LorentzEmbedding::forward(const torch::Tensor& ids, int64_t first, const Pass& pass) {
  return linear_->forward_sequences(words_->forward(ids), pass, positions_->weight().narrow(0, first, ids.size(1)));
}

}  // namespace sst::nn
