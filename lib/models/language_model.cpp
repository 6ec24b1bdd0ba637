#include "models/language_model.hpp"

#include <fmt/format.h>
#include <torch/nn/modules/container/modulelist.h>

#include "core/error.hpp"
#include "nn/recompute.hpp"
#include "tensor/shape.hpp"

namespace sst::models {

torch::Tensor LanguageModel::hidden(const torch::Tensor& ids, const nn::Pass& pass, nn::KeyValueCache* cache) {
  tensor::check_shape(ids, {tensor::kAny, tensor::kAny}, "token ids");
  require(!cache || !torch::GradMode::is_enabled(), "cached keys and values have no gradient");
  const int64_t first = cache ? cache->length() : 0;
  if (first + ids.size(1) > config_.max_positions)
    throw UserError(fmt::format("a text of {} tokens is longer than the model's {} positions", first + ids.size(1),
                                config_.max_positions),
                    "shorten it, or train with a larger 'model.max_positions'");
  if (cache) cache->layers.resize(blocks_.size());
  torch::Tensor x = embed(ids, first, pass);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const auto block = blocks_[i];
    x = pass.recompute && !cache
            ? nn::recomputed([block, pass](const torch::Tensor& in) { return block->forward(in, pass, nullptr); }, x)
            : block->forward(x, pass, cache ? &cache->layers[i] : nullptr);
  }
  return finish(x, pass);
}

torch::Tensor LanguageModel::logits(const torch::Tensor& hidden, const nn::Pass& pass) {
  if (output_) return output_->forward(hidden, pass);
  return torch::linear(nn::in_compute_type(hidden, pass), tied_copy_.of(tokens_->weight(), pass));
}

torch::Tensor LanguageModel::output_weight() const {
  if (!output_) return tokens_->weight();
  const auto* dense = dynamic_cast<const nn::DenseLinear*>(output_.get());
  return dense != nullptr ? dense->weight() : torch::Tensor();
}

void LanguageModel::add_blocks(torch::nn::Module& parent, const std::string& name, const std::string& full_name,
                               const std::function<std::shared_ptr<Block>(const std::string&)>& make) {
  const auto layers = parent.register_module(name, std::make_shared<torch::nn::ModuleListImpl>());
  for (int64_t i = 0; i < config_.num_layers; ++i) {
    blocks_.push_back(make(full_name + "." + std::to_string(i)));
    layers->push_back(blocks_.back());
  }
}

void LanguageModel::add_output_layer(const nn::Build& build) {
  if (config_.tie_embeddings) return;
  const nn::LinearSpec head{
      .in = config_.embedding_size, .out = config_.vocab_size, .bias = false, .name = "lm_head", .in_block = false};
  output_ = register_module("lm_head", nn::normal_linear(build, head, config_.init_std));
}

}  // namespace sst::models
