#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/language_model_options.hpp"

namespace sst::models {

class HfConfig;

/// How a family lies in a Hugging Face model folder. Its tensors have our names there.
struct HfFormat {
  std::string architecture;             ///< "OPTForCausalLM"; `model_type` is the family's name
  std::string base_prefix;              ///< what names may lack: "model."
  std::vector<std::string> transposed;  ///< globs of matrices that are stored [in, out]
  std::vector<std::string> ignored;     ///< globs of buffers in older folders
  bool always_bias = false;             ///< a model without biases is written with biases of zero
  std::string embedding;                ///< name of the token embedding
  /// The tokenizer_config.json beside a `tokenizer.model` where none is given; "" where the family has no such file.
  std::string tokenizer_config = "";
  std::function<LanguageModelConfig(const HfConfig&)> read;
  /// Every key of the family's own.
  std::function<nlohmann::ordered_json(const LanguageModelConfig&)> write;
};

}  // namespace sst::models
