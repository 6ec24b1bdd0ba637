#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/registry.hpp"
#include "models/hf_format.hpp"
#include "models/language_model.hpp"

namespace sst::models {

/// Published sizes of a family.
struct Preset {
  std::string name;
  int64_t hidden_size = 0, ffn_size = 0, num_layers = 0, num_heads = 0;
  int64_t embedding_size = 0;  ///< 0: hidden_size
  std::string norm = "pre";
};

struct LanguageModelFamily {
  std::string doc;
  LanguageModelConfig defaults;  ///< everything but the sizes
  std::vector<Preset> presets;
  /// Throws UserError for values that the family cannot express.
  std::function<void(const LanguageModelConfig&)> check;
  std::function<std::shared_ptr<LanguageModel>(const LanguageModelConfig&, const nn::Build&)> make;
  HfFormat hf;
};

/// Every family of language models. The only list that names them all.
const Registry<LanguageModelFamily>& families();

/// Checks the configuration and makes the model with initial values from build.seed.
std::shared_ptr<LanguageModel> make_language_model(const LanguageModelConfig& config, const nn::Build& build);

/// For `check`: throws UserError unless `value` is the only one that the family knows.
void require_value(const LanguageModelConfig& config, const std::string& key, const std::string& value,
                   const std::string& known);
void require_value(const LanguageModelConfig& config, const std::string& key, int64_t value, int64_t known);

}  // namespace sst::models
