#include "models/hyperbolic_transformer.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "nn/lorentz_attention.hpp"
#include "nn/lorentz_embedding.hpp"

namespace sst::models {
namespace {

void check_hyperbolic(const TranslationOptions& options) {
  if (options.activation && *options.activation != "relu")
    throw UserError(
        fmt::format("'model.activation' is '{}', but geometry 'lorentz' knows only relu", *options.activation),
        "leave the key out, or choose geometry euclidean");
  if (options.norm)
    throw UserError("'model.norm' has no meaning in geometry 'lorentz', whose layers have no norm",
                    "leave the key out");
  if (options.activation_dropout)
    throw UserError("'model.activation_dropout' has no effect in geometry 'lorentz'", "leave the key out");
  if (options.hidden_size / options.num_heads < 2)
    throw UserError(
        fmt::format("'model.num_heads' is {}, which leaves a head of 'model.hidden_size' {} no entry but time",
                    options.num_heads, options.hidden_size),
        "every head is a point of its own: give it two entries or more");
}

}  // namespace

TranslationGeometry hyperbolic_transformer() {
  using Name = TranslationGeometry::Name;
  return {
      .doc = "HyboNet's Transformer, all vectors points of the hyperboloid",
      .check = check_hyperbolic,
      .embedding =
          [](const TranslationOptions& options, int64_t rows, int64_t /*padding*/,
             std::shared_ptr<nn::Embedding> shared, const nn::Build& build, Name name) {
            return std::make_shared<nn::LorentzEmbedding>(
                nn::LorentzEmbedding::Options{
                    .rows = rows, .width = options.hidden_size, .positions = options.max_positions},
                build, name, std::move(shared));
          },
      .attention =
          [](const TranslationOptions& options, const nn::Build& build, Name name) {
            return std::make_shared<nn::LorentzSequenceAttention>(
                nn::LorentzSequenceAttention::Options{.hidden_size = options.hidden_size,
                                                      .heads = options.num_heads,
                                                      .dropout = options.dropout,
                                                      .attention_dropout = options.attention_dropout},
                build, name);
          },
      .feed_forward =
          [](const TranslationOptions& options, const nn::Build& build, Name name) {
            return std::make_shared<nn::LorentzFeedForward>(
                nn::LorentzFeedForward::Options{
                    .hidden_size = options.hidden_size, .ffn_size = options.inner_size(), .dropout = options.dropout},
                build, name);
          },
      .final_norm = [](const TranslationOptions&, const nn::Build&) { return std::shared_ptr<nn::LayerNorm>(); },
      .generator = [](const TranslationOptions& options, const std::shared_ptr<nn::Embedding>& words, const nn::Build&,
                      Name) { return std::make_shared<nn::LorentzGenerator>(words, options.tie_embeddings != "none"); },
      .has_points = true};
}

}  // namespace sst::models
