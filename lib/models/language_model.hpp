#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/language_model_options.hpp"
#include "nn/attention.hpp"
#include "nn/build.hpp"
#include "nn/embedding.hpp"

namespace sst::models {

/// One layer of a language model.
class Block : public torch::nn::Module {
 public:
  /// x [batch, time, hidden_size] → the same shape; `cache` holds the tokens before these and takes these too.
  virtual torch::Tensor forward(const torch::Tensor& x, const nn::Pass& pass, nn::KeyValues* cache) = 0;
};

/// A decoder-only Transformer: from token ids to the scores of the next token. A family says what stands around its
/// blocks and what is in them; it names its parts as Hugging Face does, so that tensors go by one name everywhere
/// ("model.decoder.layers.0.fc1.weight").
class LanguageModel : public torch::nn::Module {
 public:
  /// What the output layer multiplies: final norm and projection applied.
  ///   ids      int64 [batch, time]
  ///   cache    the tokens before these; only without a graph. They are appended to it
  ///   returns  [batch, time, embedding_size], in the type of the weights (behind a projection, in the pass's)
  ///   throws   UserError when the text is longer than max_positions
  torch::Tensor hidden(const torch::Tensor& ids, const nn::Pass& pass, nn::KeyValueCache* cache = nullptr);

  /// hidden [..., embedding_size] → scores [..., vocab_size], in the pass's compute type.
  torch::Tensor logits(const torch::Tensor& hidden, const nn::Pass& pass = {});

  /// The trained matrix that logits() multiplies by, [vocab_size, embedding_size]: the token embedding when tied.
  /// Undefined where a method holds the output layer as something else than one matrix; then only logits() will do.
  torch::Tensor output_weight() const;

  const LanguageModelConfig& config() const { return config_; }

 protected:
  explicit LanguageModel(LanguageModelConfig config) : config_(std::move(config)) {}

  /// ids [batch, time] at the positions first, first + 1, … → [batch, time, hidden_size].
  virtual torch::Tensor embed(const torch::Tensor& ids, int64_t first, const nn::Pass& pass) = 0;
  /// [batch, time, hidden_size] → [batch, time, embedding_size].
  virtual torch::Tensor finish(const torch::Tensor& x, const nn::Pass& pass) = 0;

  /// Makes the blocks under `parent`, as its child `name`; make(full name of the block) makes one.
  void add_blocks(torch::nn::Module& parent, const std::string& name, const std::string& full_name,
                  const std::function<std::shared_ptr<Block>(const std::string&)>& make);
  /// Registers `lm_head` unless the output layer is the token embedding.
  void add_output_layer(const nn::Build& build);

  LanguageModelConfig config_;
  std::shared_ptr<nn::Embedding> tokens_;  ///< made by the family

 private:
  std::vector<std::shared_ptr<Block>> blocks_;
  std::shared_ptr<nn::LinearMap> output_;  ///< absent when tied
  nn::ComputeCopy tied_copy_;
};

}  // namespace sst::models
