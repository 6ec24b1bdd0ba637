#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "recipe/words.hpp"

namespace sst::models {

/// Names of all families of language models, of all their presets, and of the activations they know.
std::vector<std::string> language_model_families();
std::vector<std::string> language_model_presets();
std::vector<std::string> language_model_activations();

/// `model` of a language model, as a recipe writes it. What is not given comes from the preset, and without one from
/// the family.
struct LanguageModelOptions {
  std::string family;
  std::optional<std::string> preset;
  std::optional<int64_t> hidden_size, ffn_size, num_layers, num_heads, num_kv_heads, embedding_size, max_positions;
  std::optional<double> rope_theta, norm_eps;
  std::optional<std::string> activation, norm, tie_embeddings;
  std::optional<bool> bias;
  double dropout = 0;
  double attention_dropout = 0;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(family, "family", one_of(language_model_families()).required(), "the architecture");
    field(preset, "preset", one_of(language_model_presets()),
          "published sizes; keys that are given replace its values");
    field(hidden_size, "hidden_size", between(1, 65536), "width of the blocks");
    field(ffn_size, "ffn_size", between(1, 1 << 20), "width inside the feed-forward part; default: 4 · hidden_size");
    field(num_layers, "num_layers", between(1, 1024), "blocks");
    field(num_heads, "num_heads", between(1, 4096), "attention heads; divides hidden_size");
    field(num_kv_heads, "num_kv_heads", between(1, 4096),
          "heads of keys and values (llama); divides num_heads; default: num_heads");
    field(embedding_size, "embedding_size", between(1, 65536),
          "width of the token embedding (opt), with a projection where it is not hidden_size; default: hidden_size");
    field(max_positions, "max_positions", between(1, 1 << 24), "longest sequence; default: the family's");
    field(rope_theta, "rope_theta", positive(), "base of the rotary embedding (llama); default: 10000");
    field(norm_eps, "norm_eps", positive(), "added to the variance in every norm; default: the family's");
    field(activation, "activation", one_of(language_model_activations()),
          "in the feed-forward part; default: the family's");
    field(norm, "norm", one_of({"pre", "post"}), "norm before each part of a block or after it (opt); default: pre");
    field(tie_embeddings, "tie_embeddings", one_of({"none", "decoder", "all"}),
          "the output layer is the token embedding; decoder and all mean the same here; default: the family's");
    field(bias, "bias", anything(), "a bias in every linear map, for gpt2 in every norm too; default: the family's");
    field(dropout, "dropout", fraction_below_one(),
          "on what each part of a block adds, for gpt2 on the embeddings too");
    field(attention_dropout, "attention_dropout", fraction_below_one(), "on the attention weights");
  }
};

/// Everything that decides a language model's tensors and what it computes from them, complete.
struct LanguageModelConfig {
  std::string family;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t ffn_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t embedding_size = 0;
  int64_t max_positions = 0;
  double rope_theta = 10000;
  double norm_eps = 1e-5;
  std::string activation = "relu";
  std::string norm = "pre";
  bool tie_embeddings = true;
  bool bias = true;
  double dropout = 0;
  double attention_dropout = 0;
  double init_std = 0.02;
  std::optional<int64_t> pad_id = std::nullopt, bos_id = std::nullopt, eos_id = std::nullopt;

  int64_t head_dim() const { return hidden_size / num_heads; }
  bool operator==(const LanguageModelConfig&) const = default;
};

/// What the options mean. `vocab_size` is the number of rows of the token embedding; not given: the family's.
///   throws  UserError naming every size that is missing, or the value that the family does not know
LanguageModelConfig resolved(const LanguageModelOptions& options, std::optional<int64_t> vocab_size);

/// The way back, for a recipe that is to describe an imported model.
LanguageModelOptions to_options(const LanguageModelConfig& config);

/// Throws UserError where the numbers do not fit together or the family cannot express a value.
void check_config(const LanguageModelConfig& config);

}  // namespace sst::models
