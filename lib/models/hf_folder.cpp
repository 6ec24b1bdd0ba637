#include "models/hf_folder.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "models/hf_config.hpp"
#include "models/registry.hpp"

namespace sst::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using tensor::NamedTensors;

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr const char* kOutputLayer = "lm_head.weight";

bool matches_any(const std::vector<std::string>& globs, const std::string& name) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) { return glob_match(glob, name); });
}

/// Name and shape in the folder of every tensor that a model of this configuration has.
std::map<std::string, std::vector<int64_t>> folder_shapes(LanguageModelConfig config, const HfFormat& hf) {
  config.bias = config.bias || hf.always_bias;
  const auto model =
      make_language_model(config, {.tensors = torch::TensorOptions(torch::kFloat32).device(torch::kMeta)});
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& [name, tensor] : nn::stored_tensors(*model)) {
    std::vector<int64_t> shape = tensor.sizes().vec();
    if (matches_any(hf.transposed, name)) std::reverse(shape.begin(), shape.end());
    shapes[name] = shape;
  }
  return shapes;
}

// --- reading ---------------------------------------------------------------------------------------------------------

/// The files that hold the tensors, each with the names that the index promises (none: every name of the file).
std::map<std::string, std::set<std::string>> weight_files(const fs::path& folder) {
  if (!path_exists(folder / kIndexFile)) {
    if (path_exists(folder / kSingleFile)) return {{kSingleFile, {}}};
    throw DataError(fmt::format("'{}' has neither {} nor {}", folder.string(), kSingleFile, kIndexFile),
                    "weights in .bin or .pt files have to be converted with transformers' save_pretrained first");
  }
  const auto index = nlohmann::json::parse(read_file(folder / kIndexFile), nullptr, /*allow_exceptions=*/false);
  const auto refuse = [&](const std::string& reason) {
    throw DataError(fmt::format("'{}': {}", (folder / kIndexFile).string(), reason));
  };
  if (!index.is_object() || !index.contains("weight_map") || !index.at("weight_map").is_object())
    refuse("it has no object 'weight_map'");
  std::map<std::string, std::set<std::string>> files;
  for (const auto& [name, file] : index.at("weight_map").items()) {
    if (!file.is_string()) refuse(fmt::format("the file of tensor '{}' is no name", name));
    const auto path = file.get<std::string>();
    if (path.empty() || fs::path(path).filename() != path || path == "..")
      refuse(fmt::format("'{}', the file of tensor '{}', does not lie in the folder", path, name));
    files[path].insert(name);
  }
  if (files.empty()) refuse("'weight_map' is empty");
  return files;
}

/// Everything that is wrong with a folder's tensors, for one message.
class Faults {
 public:
  explicit Faults(fs::path folder) : folder_(std::move(folder)) {}

  void add(const std::string& kind, const std::string& what) { faults_[kind].push_back(what); }
  void throw_if_any() const {
    std::vector<std::string> parts;
    for (const auto& [kind, names] : faults_) parts.push_back(fmt::format("{}: {}", kind, fmt::join(names, ", ")));
    if (parts.empty()) return;
    throw DataError(
        fmt::format("the tensors of '{}' are not those of its config.json; {}", folder_.string(), join(parts, "; ")),
        "the file or the configuration belongs to another model");
  }

 private:
  fs::path folder_;
  std::map<std::string, std::vector<std::string>> faults_;
};

/// Our name of a tensor in the folder, which may lack the base prefix.
std::string with_prefix(const std::string& name, const HfFormat& hf) {
  return name == kOutputLayer || starts_with(name, hf.base_prefix) ? name : hf.base_prefix + name;
}

/// Compares the tables of contents with what the configuration asks for, before anything large is read.
void check_folder_tensors(const fs::path& folder, const std::map<std::string, std::set<std::string>>& files,
                          const std::map<std::string, std::vector<int64_t>>& shapes, const HfFormat& hf, bool tied) {
  Faults faults(folder);
  std::set<std::string> found;
  for (const auto& [file, promised] : files) {
    std::set<std::string> held;
    for (const auto& entry : tensor::read_safetensors_header(folder / file).tensors) {
      held.insert(entry.name);
      const std::string name = with_prefix(entry.name, hf);
      const auto shape = shapes.find(name);
      if (matches_any(hf.ignored, name) || (tied && name == kOutputLayer)) continue;
      if (shape == shapes.end() || (!promised.empty() && promised.count(entry.name) == 0)) {
        faults.add("unexpected", entry.name);
      } else if (entry.shape != shape->second) {
        faults.add("misshapen", fmt::format("{} [{}], expected [{}]", entry.name, fmt::join(entry.shape, ", "),
                                            fmt::join(shape->second, ", ")));
      } else if (entry.dtype != "F32" && entry.dtype != "F16" && entry.dtype != "BF16" && entry.dtype != "F64") {
        faults.add("of no floating-point type", fmt::format("{} ({})", entry.name, entry.dtype));
      }
      if (!found.insert(name).second) faults.add("given twice", name);
    }
    for (const std::string& name : promised)
      if (held.count(name) == 0) faults.add("not in the file that the index names", fmt::format("{} ({})", name, file));
  }
  for (const auto& [name, shape] : shapes)
    if (found.count(name) == 0) faults.add("missing", name);
  faults.throw_if_any();
}

// --- writing ---------------------------------------------------------------------------------------------------------

const char* dtype_word(torch::ScalarType dtype) {
  if (dtype == torch::kFloat32) return "float32";
  if (dtype == torch::kBFloat16) return "bfloat16";
  if (dtype == torch::kFloat16) return "float16";
  throw UserError(fmt::format("a Hugging Face folder is not written in {}", c10::toString(dtype)),
                  "choose float32, bfloat16 or float16");
}

/// The tensors as the folder holds them.
NamedTensors folder_tensors(const LanguageModel& model, const LanguageModelConfig& config, const HfFormat& hf,
                            torch::ScalarType dtype) {
  NamedTensors tensors;
  for (const auto& [name, tensor] : nn::dense_tensors(model)) {
    torch::Tensor kept = tensor;
    if (name == hf.embedding || name == kOutputLayer) kept = kept.narrow(0, 0, config.vocab_size);
    if (matches_any(hf.transposed, name)) kept = kept.t();
    tensors[name] = kept.to(torch::kCPU, dtype).contiguous();
  }
  for (const auto& [name, shape] : folder_shapes(config, hf))
    if (tensors.count(name) == 0) tensors[name] = torch::zeros(shape, dtype);  // biases of a model without
  return tensors;
}

/// Files of at most `most` bytes each (or one tensor), in the order of the names.
std::vector<NamedTensors> shards_of(const NamedTensors& tensors, uint64_t most) {
  std::vector<NamedTensors> shards(1);
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) {
    if (!shards.back().empty() && bytes + tensor.nbytes() > most) {
      shards.emplace_back();
      bytes = 0;
    }
    shards.back()[name] = tensor;
    bytes += tensor.nbytes();
  }
  return shards;
}

void write_weights(const fs::path& folder, const NamedTensors& tensors, uint64_t max_shard_bytes) {
  const auto shards = shards_of(tensors, max_shard_bytes);
  if (shards.size() == 1) {
    tensor::write_safetensors(folder / kSingleFile, tensors);
    return;
  }
  uint64_t bytes = 0;
  ordered_json map;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string file = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    tensor::write_safetensors(folder / file, shards[i]);
    for (const auto& [name, tensor] : shards[i]) {
      bytes += tensor.nbytes();
      map[name] = file;
    }
  }
  const ordered_json index = {{"metadata", {{"total_size", bytes}}}, {"weight_map", map}};
  write_file_synced(folder / kIndexFile, index.dump(2) + "\n");
}

ordered_json folder_config(const LanguageModelConfig& config, const HfFormat& hf, torch::ScalarType dtype) {
  ordered_json json = {{"architectures", {hf.architecture}}, {"model_type", config.family}};
  json.update(hf.write(config));
  json["tie_word_embeddings"] = config.tie_embeddings;
  json["torch_dtype"] = dtype_word(dtype);  // version 4 of transformers reads this one,
  json["dtype"] = dtype_word(dtype);        // version 5 this one
  return json;
}

void write_folder(const LanguageModel& model, const fs::path& folder, const HfExport& options) {
  LanguageModelConfig config = model.config();
  config.vocab_size = options.vocab_size.value_or(config.vocab_size);
  if (config.vocab_size < 1 || config.vocab_size > model.config().vocab_size)
    throw UserError(fmt::format("a vocabulary of {} cannot be kept of the model's {} rows", config.vocab_size,
                                model.config().vocab_size));
  const HfFormat& hf = families().at(config.family).hf;
  const std::string json = folder_config(config, hf, options.dtype).dump(2) + "\n";
  for (const auto& [name, source] : options.files) write_file_synced(folder / name, read_file(source));
  if (!hf.tokenizer_config.empty() && options.files.count("tokenizer.model") > 0 &&
      options.files.count("tokenizer_config.json") == 0)
    write_file_synced(folder / "tokenizer_config.json", hf.tokenizer_config);
  write_weights(folder, folder_tensors(model, config, hf, options.dtype), options.max_shard_bytes);
  write_file_synced(folder / "config.json", json);
  sync_folder(folder);
}

}  // namespace

HfModel import_hf(const fs::path& folder) {
  const HfConfig json(folder / "config.json");
  const std::string family = json.text("model_type", "");
  const auto names = families().names();
  if (std::find(names.begin(), names.end(), family) == names.end()) json.refuse("model_type", join(names, ", "));
  const HfFormat& hf = families().at(family).hf;
  HfModel model{.config = hf.read(json), .tensors = {}};
  check_config(model.config);
  const auto files = weight_files(folder);
  const bool tied = model.config.tie_embeddings;
  check_folder_tensors(folder, files, folder_shapes(model.config, hf), hf, tied);
  for (const auto& [file, promised] : files)
    for (const auto& [theirs, tensor] : tensor::read_safetensors(folder / file).tensors) {
      const std::string name = with_prefix(theirs, hf);
      if (!matches_any(hf.ignored, name))
        model.tensors[name] = matches_any(hf.transposed, name) ? tensor.t().contiguous() : tensor;
    }
  if (const auto copy = model.tensors.find(kOutputLayer); tied && copy != model.tensors.end()) {
    if (!torch::equal(copy->second, model.tensors.at(hf.embedding)))
      throw DataError(fmt::format("'{}': 'tie_word_embeddings' is true, but '{}' differs from '{}'", folder.string(),
                                  kOutputLayer, hf.embedding),
                      "a model whose output layer is its own says false");
    model.tensors.erase(copy);
  }
  return model;
}

void export_hf(const LanguageModel& model, const fs::path& target, const HfExport& options) {
  const fs::path folder = target.has_filename() ? target : target.parent_path();  // "out/" is "out"
  if (path_exists(folder) && (!is_folder(folder) || !fs::is_empty(folder)))
    throw UserError(fmt::format("'{}' is there already", folder.string()), "choose another folder, or move it aside");
  const fs::path beside = folder.parent_path() / (".tmp-" + folder.filename().string());
  std::error_code ignored;
  fs::remove_all(beside, ignored);
  std::error_code failed;
  fs::create_directories(beside, failed);
  if (failed) throw ResourceError(fmt::format("cannot make '{}': {}", beside.string(), failed.message()));
  try {
    write_folder(model, beside, options);
  } catch (...) {
    fs::remove_all(beside, ignored);
    throw;
  }
  fs::rename(beside, folder, failed);
  if (failed) throw ResourceError(fmt::format("cannot make '{}': {}", folder.string(), failed.message()));
}

}  // namespace sst::models
