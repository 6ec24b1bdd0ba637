#include "models/registry.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "models/gpt2.hpp"
#include "models/llama.hpp"
#include "models/opt.hpp"

namespace sst::models {

const Registry<LanguageModelFamily>& families() {
  static const Registry<LanguageModelFamily> all = [] {
    Registry<LanguageModelFamily> list("model family");
    list.add("opt", opt_family());
    list.add("gpt2", gpt2_family());
    list.add("llama", llama_family());
    return list;
  }();
  return all;
}

std::shared_ptr<LanguageModel> make_language_model(const LanguageModelConfig& config, const nn::Build& build) {
  check_config(config);
  return families().at(config.family).make(config, build);
}

void require_value(const LanguageModelConfig& config, const std::string& key, const std::string& value,
                   const std::string& known) {
  if (value == known) return;
  throw UserError(fmt::format("'model.{}' is {}, but family '{}' knows only {}", key, value, config.family, known),
                  "leave the key out, or choose another family");
}

void require_value(const LanguageModelConfig& config, const std::string& key, int64_t value, int64_t known) {
  require_value(config, key, std::to_string(value), std::to_string(known));
}

}  // namespace sst::models
