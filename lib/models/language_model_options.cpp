#include "models/language_model_options.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text.hpp"
#include "models/registry.hpp"
#include "nn/activation.hpp"

namespace sst::models {
namespace {

/// The published sizes that the options name, or none.
Preset preset_of(const LanguageModelOptions& options) {
  if (!options.preset) return {};
  for (const Preset& preset : families().at(options.family).presets)
    if (preset.name == *options.preset) return preset;
  throw UserError(
      fmt::format("'model.preset' is '{}', which is no preset of family '{}'", *options.preset, options.family),
      "give the family it belongs to, or another preset");
}

void check_sizes_given(const LanguageModelConfig& config) {
  std::vector<std::string> missing;
  const auto look = [&](int64_t value, const std::string& key) {
    if (value == 0) missing.push_back("'model." + key + "'");
  };
  look(config.hidden_size, "hidden_size");
  look(config.num_layers, "num_layers");
  look(config.num_heads, "num_heads");
  if (missing.empty()) return;
  throw UserError("the model has no " + join(missing, ", "), "give a 'model.preset', or these sizes");
}

void check_divides(const char* name, int64_t divisor, const char* of, int64_t value) {
  if (divisor > 0 && value % divisor == 0) return;
  throw UserError(fmt::format("'model.{}' is {}, which does not divide 'model.{}', {}", name, divisor, of, value));
}

}  // namespace

std::vector<std::string> language_model_families() { return families().names(); }

std::vector<std::string> language_model_presets() {
  std::vector<std::string> names;
  for (const auto& [name, family] : families().entries())
    for (const Preset& preset : family.presets) names.push_back(preset.name);
  return names;
}

std::vector<std::string> language_model_activations() { return nn::activation_names(); }

LanguageModelConfig resolved(const LanguageModelOptions& options, std::optional<int64_t> vocab_size) {
  const Preset preset = preset_of(options);
  LanguageModelConfig config = families().at(options.family).defaults;
  config.vocab_size = vocab_size.value_or(config.vocab_size);
  config.hidden_size = options.hidden_size.value_or(preset.hidden_size);
  config.num_layers = options.num_layers.value_or(preset.num_layers);
  config.num_heads = options.num_heads.value_or(preset.num_heads);
  check_sizes_given(config);
  config.ffn_size = options.ffn_size.value_or(preset.ffn_size > 0 ? preset.ffn_size : 4 * config.hidden_size);
  config.num_kv_heads = options.num_kv_heads.value_or(config.num_heads);
  config.embedding_size =
      options.embedding_size.value_or(preset.embedding_size > 0 ? preset.embedding_size : config.hidden_size);
  config.max_positions = options.max_positions.value_or(config.max_positions);
  config.rope_theta = options.rope_theta.value_or(config.rope_theta);
  config.norm_eps = options.norm_eps.value_or(config.norm_eps);
  config.activation = options.activation.value_or(config.activation);
  config.norm = options.norm.value_or(preset.norm);
  if (options.tie_embeddings) config.tie_embeddings = *options.tie_embeddings != "none";
  config.bias = options.bias.value_or(config.bias);
  config.dropout = options.dropout;
  config.attention_dropout = options.attention_dropout;
  check_config(config);
  return config;
}

LanguageModelOptions to_options(const LanguageModelConfig& config) {
  LanguageModelOptions options;
  options.family = config.family;
  options.hidden_size = config.hidden_size;
  options.ffn_size = config.ffn_size;
  options.num_layers = config.num_layers;
  options.num_heads = config.num_heads;
  options.num_kv_heads = config.num_kv_heads;
  options.embedding_size = config.embedding_size;
  options.max_positions = config.max_positions;
  options.rope_theta = config.rope_theta;
  options.norm_eps = config.norm_eps;
  options.activation = config.activation;
  options.norm = config.norm;
  options.tie_embeddings = config.tie_embeddings ? "all" : "none";
  options.bias = config.bias;
  options.dropout = config.dropout;
  options.attention_dropout = config.attention_dropout;
  return options;
}

void check_config(const LanguageModelConfig& config) {
  check_divides("num_heads", config.num_heads, "hidden_size", config.hidden_size);
  check_divides("num_kv_heads", config.num_kv_heads, "num_heads", config.num_heads);
  families().at(config.family).check(config);
}

}  // namespace sst::models
