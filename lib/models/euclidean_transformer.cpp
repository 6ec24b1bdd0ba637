#include "models/euclidean_transformer.hpp"

namespace sst::models {
namespace {

constexpr double kTransformerNormEps = 1e-6;

}  // namespace

TranslationGeometry euclidean_transformer() {
  using Name = TranslationGeometry::Name;
  return {.doc = "Transformer with norms in front",
          .check = [](const TranslationOptions&) {},
          .embedding =
              [](const TranslationOptions& options, int64_t rows, int64_t padding,
                 std::shared_ptr<nn::Embedding> shared, const nn::Build& build, Name name) {
                return std::make_shared<nn::SinusoidalEmbedding>(
                    nn::SinusoidalEmbedding::Options{.rows = rows,
                                                     .width = options.hidden_size,
                                                     .positions = options.max_positions,
                                                     .padding_row = padding,
                                                     .dropout = options.dropout},
                    build, name, std::move(shared));
              },
          .attention =
              [](const TranslationOptions& options, const nn::Build& build, Name name) {
                return std::make_shared<nn::PreNormAttention>(
                    nn::PreNormAttention::Options{.hidden_size = options.hidden_size,
                                                  .heads = options.num_heads,
                                                  .norm_eps = kTransformerNormEps,
                                                  .dropout = options.dropout,
                                                  .attention_dropout = options.attention_dropout},
                    build, name);
              },
          .feed_forward =
              [](const TranslationOptions& options, const nn::Build& build, Name name) {
                return std::make_shared<nn::PreNormFeedForward>(
                    nn::PreNormFeedForward::Options{.hidden_size = options.hidden_size,
                                                    .ffn_size = options.inner_size(),
                                                    .activation = options.activation.value_or("relu"),
                                                    .norm_eps = kTransformerNormEps,
                                                    .dropout = options.dropout,
                                                    .activation_dropout = options.inner_dropout()},
                    build, name);
              },
          .final_norm =
              [](const TranslationOptions& options, const nn::Build& build) {
                return std::make_shared<nn::LayerNorm>(options.hidden_size, kTransformerNormEps, build);
              },
          .generator =
              [](const TranslationOptions& options, const std::shared_ptr<nn::Embedding>& words, const nn::Build& build,
                 Name name) {
                if (options.tie_embeddings != "none") return std::make_shared<nn::LinearGenerator>(words, build);
                return std::make_shared<nn::LinearGenerator>(options.hidden_size, words->weight().size(0), build, name);
              },
          .has_points = false};
}

}  // namespace sst::models
