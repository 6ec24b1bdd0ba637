#include "models/euclidean_transformer.hpp"

namespace sst::models {
namespace {

constexpr double kTransformerNormEps = 1e-6;

nn::NormPlace norm_place(const TranslationOptions& options) {
  return options.norm == "post" ? nn::NormPlace::kAfter : nn::NormPlace::kBefore;
}

}  // namespace

TranslationGeometry euclidean_transformer() {
  using Name = TranslationGeometry::Name;
  return {.doc = "Transformer with a norm for each part of a block",
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
                return std::make_shared<nn::TransformerAttention>(
                    nn::TransformerAttention::Options{.hidden_size = options.hidden_size,
                                                      .heads = options.num_heads,
                                                      .norm_place = norm_place(options),
                                                      .norm_eps = kTransformerNormEps,
                                                      .dropout = options.dropout,
                                                      .attention_dropout = options.attention_dropout},
                    build, name);
              },
          .feed_forward =
              [](const TranslationOptions& options, const nn::Build& build, Name name) {
                return std::make_shared<nn::TransformerFeedForward>(
                    nn::TransformerFeedForward::Options{.hidden_size = options.hidden_size,
                                                        .ffn_size = options.inner_size(),
                                                        .activation = options.activation.value_or("relu"),
                                                        .norm_place = norm_place(options),
                                                        .norm_eps = kTransformerNormEps,
                                                        .dropout = options.dropout,
                                                        .activation_dropout = options.inner_dropout()},
                    build, name);
              },
          .final_norm =
              [](const TranslationOptions& options, const nn::Build& build) {
                if (norm_place(options) == nn::NormPlace::kAfter) return std::shared_ptr<nn::LayerNorm>();
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
