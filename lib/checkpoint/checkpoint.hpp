#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tensor/safetensors.hpp"

/// One checkpoint: a folder of safetensors and JSON behind a manifest with the size and SHA-256 of every
/// file.
///
///     model.safetensors  optimizer.safetensors  method.safetensors  state.json  rng.json  recipe.yaml
///     averages.safetensors, where train.ema asks for averages
///     the tokenizer's files, where there is text: vocab.json, tokenizer.model, de.vocab, …
///     MANIFEST.json
namespace sst::checkpoint {

inline constexpr int kFormat = 1;

/// Everything a run needs to go on as if it had never stopped.
struct Contents {
  int64_t step = 0;
  tensor::NamedTensors model;                    ///< weights under stable names
  tensor::NamedTensors optimizer;                ///< states by parameter name: "exp_avg/encoder.0.fc1.weight"
  tensor::NamedTensors method;                   ///< projections, bases, masters
  tensor::NamedTensors averages;                 ///< of train.ema: "ema_0.999/encoder.0.fc1.weight"; mostly none
  std::map<std::string, std::string> tokenizer;  ///< its files, by name; a trained model is usable without its data
  nlohmann::json state;     ///< step, epoch, position in data, best so far, …; finite numbers only
  nlohmann::json rng;       ///< seed and stream counters
  std::string recipe_yaml;  ///< as resolved
  std::string recipe_hash;
  std::string writer_version;
};

/// What the manifest says of the whole, beside the files.
struct Note {
  int64_t step = 0;
  std::optional<double> score;   ///< the best_metric of these weights, where they were evaluated
  bool higher_is_better = true;  ///< how scores compare
  bool keep_forever = false;
  bool weights_only = false;  ///< cannot be resumed from
  std::string recipe_hash;
  std::string writer_version;
  std::string written;  ///< "2026-11-22T12:40:03Z"
};

/// Writes the files and the manifest into `folder`, which exists and is empty, and flushes them and the
/// folder to disk.
///   throws  ResourceError when the disk does not take them; std::logic_error when state or rng hold NaN or
///   infinity,
///           which JSON would silently turn into null
void write(const std::filesystem::path& folder, const Contents& contents, Note note);

/// The manifest alone: cheap, and enough to list a folder of checkpoints.
///   throws  CheckpointError naming folder and reason
Note read_note(const std::filesystem::path& folder);

/// Manifest first, then every file, its size and SHA-256 verified as it is read: small ones before the tensors.
///   throws  CheckpointError naming folder, file and reason
Contents load(const std::filesystem::path& folder);

}  // namespace sst::checkpoint
