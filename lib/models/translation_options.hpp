#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "recipe/words.hpp"

namespace sst::models {

/// Names of all geometries in which a translation model can be made, and of the activations that it knows.
std::vector<std::string> translation_geometries();
std::vector<std::string> translation_activations();

/// `model` of a translation model.
struct TranslationOptions {
  std::string family = "transformer";
  std::string geometry = "euclidean";
  double curvature = 1;
  int64_t hidden_size = 0;
  std::optional<int64_t> ffn_size;  ///< not given: 4 · hidden_size
  int64_t encoder_layers = 6;
  int64_t decoder_layers = 6;
  int64_t num_heads = 0;
  std::optional<std::string> activation;  ///< not given: relu
  std::optional<std::string> norm;        ///< not given: pre
  double dropout = 0;
  double attention_dropout = 0;
  std::optional<double> activation_dropout;  ///< not given: dropout
  std::string tie_embeddings = "none";
  int64_t max_positions = 5000;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(family, "family", one_of({"transformer"}), "the architecture");
    field(geometry, "geometry", one_of(translation_geometries()),
          "the space of the embeddings: euclidean, the pre-norm Transformer; lorentz, HyboNet's");
    field(curvature, "curvature", between(1, 1), "lorentz: minus the curvature of that space; only 1 is known");
    field(hidden_size, "hidden_size", between(2, 65536).required(),
          "width of the blocks; lorentz: the time entry included");
    field(ffn_size, "ffn_size", between(2, 1 << 20), "width inside the feed-forward part; default: 4 · hidden_size");
    field(encoder_layers, "encoder_layers", between(1, 1024), "blocks that read the source");
    field(decoder_layers, "decoder_layers", between(1, 1024), "blocks that write the target");
    field(num_heads, "num_heads", between(1, 4096).required(),
          "attention heads; divides hidden_size; lorentz: every head is a point, so it needs two entries or more");
    field(activation, "activation", one_of(translation_activations()),
          "in the feed-forward part; lorentz knows only relu; default: relu");
    field(norm, "norm", one_of({"pre", "post"}),
          "euclidean: norm before each part of a block and behind the last one, or after each part; default: pre");
    field(dropout, "dropout", fraction_below_one(),
          "euclidean: on the embeddings and on what each part of a block adds; lorentz: on the inputs of the "
          "feed-forward maps and of the map behind the attention");
    field(attention_dropout, "attention_dropout", fraction_below_one(),
          "euclidean: on the attention weights; lorentz: on the inputs of the maps to queries, keys and values");
    field(activation_dropout, "activation_dropout", fraction_below_one(),
          "euclidean: inside the feed-forward part; default: dropout");
    field(
        tie_embeddings, "tie_embeddings", one_of({"none", "decoder", "all"}),
        "decoder: the output layer is the table of target words; all: of source words too, which needs one vocabulary");
    field(max_positions, "max_positions", between(1, 1 << 24), "longest sentence in tokens, specials included");
  }

  int64_t inner_size() const { return ffn_size.value_or(4 * hidden_size); }
  double inner_dropout() const { return activation_dropout.value_or(dropout); }
};

/// What a translation model must know of its two vocabularies.
struct TranslationVocabulary {
  int64_t source_size = 0, target_size = 0;  ///< rows of the tables of words
  int64_t source_padding = 1, target_padding = 1;
  int64_t begin = 2, end = 3;  ///< of a target sentence
};

/// Throws UserError where the numbers do not fit together or the geometry does not know a value.
void check_options(const TranslationOptions& options, const TranslationVocabulary& vocabulary);

}  // namespace sst::models
