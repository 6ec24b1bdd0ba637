#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "models/language_model.hpp"
#include "tensor/safetensors.hpp"

/// Hugging Face model folders of the families in registry.hpp (docs/formats.md): `config.json`, `model.safetensors` or
/// shards with an index, tokenizer files.
namespace sst::models {

/// A model read from a folder: nn::load_dense_tensors puts the tensors into make_language_model(config, …).
struct HfModel {
  LanguageModelConfig config;
  tensor::NamedTensors tensors;  ///< every tensor of the model, in the folder's type, matrices [out, in]
};

/// Reads a folder, shards in any number, names with or without the base prefix.
///   throws  DataError: no such family, a configuration this program does not compute, or, all in one message, every
///           tensor that is missing, unknown or of another shape; CheckpointError: a malformed safetensors file
HfModel import_hf(const std::filesystem::path& folder);

struct HfExport {
  torch::ScalarType dtype = torch::kFloat32;         ///< or bfloat16, float16
  std::optional<int64_t> vocab_size = std::nullopt;  ///< keep that many rows of the embedding: padding is cut off
  uint64_t max_shard_bytes = 5'000'000'000;
  std::map<std::string, std::filesystem::path> files = {};  ///< name in the folder → file to copy: the tokenizer
};

/// Writes the model with plain matrices, whatever its method holds. The folder appears whole or not at all.
///   throws  UserError when the folder has something in it, or for a type that such folders do not hold; DataError
///           when a file to copy is missing; ResourceError when the disk does not take it
void export_hf(const LanguageModel& model, const std::filesystem::path& folder, const HfExport& options = {});

}  // namespace sst::models
