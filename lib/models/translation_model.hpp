#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/translation_options.hpp"
#include "nn/feed_forward.hpp"
#include "nn/generator.hpp"
#include "nn/multi_head_attention.hpp"
#include "nn/norm.hpp"
#include "nn/sequence_embedding.hpp"

namespace sst::models {

/// Sentence pairs side by side, padded at the end.
struct TranslationBatch {
  torch::Tensor source;          ///< int64 [batch, src], words only
  torch::Tensor source_lengths;  ///< int64 [batch], 1 or more each
  torch::Tensor target;          ///< int64 [batch, tgt + 1]: begin, words, end
};

struct TranslationLossOptions {
  double label_smoothing = 0;
};

/// A source batch that has been read.
struct Encoded {
  torch::Tensor memory;   ///< [batch, src, hidden]
  torch::Tensor padding;  ///< bool [batch, src], true where there is no word; undefined where all are equally long
};

/// What the decoder remembers of the sentences it is writing: `beams` beginnings of each source sentence.
class DecoderState {
 public:
  int64_t length() const { return self.empty() ? 0 : self.front().length(); }  ///< words written so far
  /// Beam j of the i-th remaining sentence becomes what row rows[i · beams + j] was; rows count sentence · beams + beam.
  /// All beams of a sentence must come from one sentence. Finished sentences are those that no row comes from.
  void select(const std::vector<int64_t>& rows);

  int64_t beams = 1;
  std::vector<nn::KeyValues> self;       ///< by layer, [sentences · beams, ...]
  std::vector<nn::HeadKeyValues> cross;  ///< by layer, [sentences, heads, src, dim]: beams share them
  torch::Tensor padding;                 ///< of the source
};

/// The parts of a Transformer that differ between geometries. Each function gets the full name of what it makes.
struct TranslationGeometry {
  using Name = const std::string&;
  std::string doc;
  /// Throws UserError for values that the geometry cannot express.
  std::function<void(const TranslationOptions&)> check;
  /// `shared` is the table of words to use, or null.
  std::function<std::shared_ptr<nn::SequenceEmbedding>(const TranslationOptions&, int64_t rows, int64_t padding,
                                                       std::shared_ptr<nn::Embedding> shared, const nn::Build&, Name)>
      embedding;
  std::function<std::shared_ptr<nn::MultiHeadAttention>(const TranslationOptions&, const nn::Build&, Name)> attention;
  std::function<std::shared_ptr<nn::FeedForward>(const TranslationOptions&, const nn::Build&, Name)> feed_forward;
  /// Behind the last layer; null where there is none.
  std::function<std::shared_ptr<nn::LayerNorm>(const TranslationOptions&, const nn::Build&)> final_norm;
  std::function<std::shared_ptr<nn::Generator>(const TranslationOptions&, const std::shared_ptr<nn::Embedding>& words,
                                               const nn::Build&, Name)>
      generator;
  bool has_points = false;  ///< tables of words and class points lie on the hyperboloid
};

/// An encoder-decoder Transformer. Tensors: {encoder,decoder}.embed.words.weight and what else the embedding has,
/// encoder.layers.I.{self_attn,ffn}.…, decoder.layers.I.{self_attn,cross_attn,ffn}.…, {encoder,decoder}.norm.…,
/// generator.….
class TranslationModel final : public torch::nn::Module {
 public:
  TranslationModel(const TranslationOptions& options, const TranslationVocabulary& vocabulary,
                   const TranslationGeometry& geometry, const nn::Build& build);

  /// source int64 [batch, src] padded at the end, lengths int64 [batch].
  ///   throws   UserError when a sentence is empty or longer than max_positions
  Encoded encode(const torch::Tensor& source, const torch::Tensor& lengths, const nn::Pass& pass);

  /// The decoder's vectors of every position, each seeing the words before it: target int64 [batch, tgt], begin token
  /// first → [batch, tgt, hidden]. Behind the end of a target its vectors mean nothing.
  torch::Tensor decode(const torch::Tensor& target, const Encoded& encoded, const nn::Pass& pass);

  /// Begins `beams` translations of each sentence. Only without a graph, as are the steps.
  DecoderState start(const Encoded& encoded, int64_t beams, const nn::Pass& pass = {});
  /// The next position: the last words int64 [sentences, beams] → [sentences, beams, hidden].
  ///   first_head   receives the last cross-attention's weights of the first head, [sentences, beams, src]
  torch::Tensor decode_step(const torch::Tensor& words, DecoderState& state, const nn::Pass& pass = {},
                            torch::Tensor* first_head = nullptr);

  /// hidden [rows, hidden] → a score for each target word, [rows, words].
  torch::Tensor scores(const torch::Tensor& hidden, const nn::Pass& pass = {}) {
    return generator_->forward(hidden, pass);
  }

  /// Σ over all target positions, words and end token, in nats.
  nn::TokenLoss loss(const TranslationBatch& batch, const TranslationLossOptions& options, const nn::Pass& pass);

  /// Σ ln p of the words and the end of each sentence, float64 [batch].
  torch::Tensor log_p(const TranslationBatch& batch, const nn::Pass& pass = {});

  const TranslationOptions& options() const { return options_; }
  const TranslationVocabulary& vocabulary() const { return vocabulary_; }

 private:
  struct Layer {
    std::shared_ptr<nn::MultiHeadAttention> self, cross;  ///< cross is null in the encoder
    std::shared_ptr<nn::FeedForward> feed_forward;
  };
  struct Side {
    std::shared_ptr<nn::SequenceEmbedding> embed;
    std::vector<Layer> layers;
    std::shared_ptr<nn::LayerNorm> norm;
  };

  Side make_side(const std::string& name, const TranslationGeometry& geometry, const nn::Build& build,
                 std::shared_ptr<nn::Embedding> shared_words);
  /// What the decoder says before each word of the target that is no padding.
  struct Predictions {
    torch::Tensor hidden;   ///< [words, hidden]
    torch::Tensor targets;  ///< int64 [words]: what should come
    torch::Tensor places;   ///< int64 [words]: sentence · length + position
    int64_t length = 0;     ///< of the padded targets, begin token left out
  };
  Predictions predict(const TranslationBatch& batch, const nn::Pass& pass);
  torch::Tensor embed(Side& side, const torch::Tensor& ids, int64_t first, const nn::Pass& pass) const;

  TranslationOptions options_;
  TranslationVocabulary vocabulary_;
  Side encoder_, decoder_;
  std::shared_ptr<nn::Generator> generator_;
};

/// Names of the tensors of such a model whose rows are points of the hyperboloid.
std::vector<std::string> lorentz_parameters(const TranslationOptions& options);

/// Checks the options and makes the model with initial values from build.seed.
std::shared_ptr<TranslationModel> make_translation_model(const TranslationOptions& options,
                                                         const TranslationVocabulary& vocabulary,
                                                         const nn::Build& build);

}  // namespace sst::models
