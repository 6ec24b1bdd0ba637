#include "checkpoint/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/file.hpp"

namespace sst::checkpoint {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::array kFiles = {
    "model.safetensors", "optimizer.safetensors", "method.safetensors", "state.json", "rng.json", "recipe.yaml"};
constexpr const char* kAverages = "averages.safetensors";  ///< there only when the recipe asks for averages
constexpr const char* kManifest = "MANIFEST.json";

[[noreturn]] void refuse(const fs::path& folder, const std::string& reason) {
  throw CheckpointError("checkpoint '" + folder.string() + "': " + reason);
}

/// JSON has no NaN: nlohmann writes null in its place, and the resumed run would differ without a word.
void require_finite(const json& value, const std::string& path) {
  if (value.is_number_float())
    require(std::isfinite(value.get<double>()), "checkpoint value '" + path + "' is not finite");
  if (value.is_structured())
    for (const auto& [key, child] : value.items()) require_finite(child, path + "/" + key);
}

/// A file of the checkpoint, read whole; whatever stands in the way is the checkpoint's fault.
std::string read_part(const fs::path& folder, const std::string& name) {
  try {
    return read_file(folder / name);
  } catch (const std::exception& error) {
    refuse(folder, error.what());
  }
}

json parse_part(const fs::path& folder, const char* name, const std::string& text) {
  json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) refuse(folder, std::string(name) + " is not valid JSON");
  return parsed;
}

/// The files a manifest has to describe, then those that it may.
std::vector<std::string> files_of(const json& manifest) {
  std::vector<std::string> names(kFiles.begin(), kFiles.end());
  for (const auto& [name, entry] : manifest["files"].items())
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

/// Those that are no part of every checkpoint, and no averages.
bool is_tokenizer_file(const std::string& name) {
  return name != kAverages && std::find(kFiles.begin(), kFiles.end(), name) == kFiles.end();
}

/// The manifest with every field of the expected type.
json read_manifest(const fs::path& folder) {
  if (!path_surely_exists(folder) || !is_folder(folder))
    throw CheckpointError("no checkpoint at '" + folder.string() + "'");
  if (!path_surely_exists(folder / kManifest)) refuse(folder, "MANIFEST.json is missing, so it was never completed");
  json manifest = parse_part(folder, kManifest, read_part(folder, kManifest));
  const auto has = [&](const char* key, auto is_type) {
    if (!manifest.is_object() || !manifest.contains(key) || !is_type(manifest[key]))
      refuse(folder, std::string("MANIFEST.json has no sound '") + key + "'");
  };
  has("format", [](const json& v) { return v.is_number_integer(); });
  if (manifest["format"].get<int64_t>() != kFormat)
    refuse(folder, "it has format " + manifest["format"].dump() + ", this program reads format " +
                       std::to_string(kFormat) + "; use the version that wrote it");
  has("step", [](const json& v) { return v.is_number_unsigned(); });
  has("score", [](const json& v) { return v.is_null() || v.is_number(); });
  for (const char* key : {"higher_is_better", "keep_forever", "weights_only"})
    has(key, [](const json& v) { return v.is_boolean(); });
  for (const char* key : {"recipe_hash", "writer", "written"}) has(key, [](const json& v) { return v.is_string(); });
  has("files", [](const json& v) { return v.is_object(); });
  for (const std::string& name : files_of(manifest)) {
    const json entry = manifest["files"].value(name, json());
    if (!entry.is_object() || !entry.contains("bytes") || !entry["bytes"].is_number_unsigned() ||
        !entry.contains("sha256") || !entry["sha256"].is_string())
      refuse(folder, "MANIFEST.json does not describe " + name);
    if (fs::path(name).filename() != name) refuse(folder, "MANIFEST.json names a file elsewhere: " + name);
  }
  return manifest;
}

Note note_of(const json& manifest) {
  Note note;
  note.step = manifest["step"].get<int64_t>();
  if (manifest["score"].is_number()) note.score = manifest["score"].get<double>();
  note.higher_is_better = manifest["higher_is_better"].get<bool>();
  note.keep_forever = manifest["keep_forever"].get<bool>();
  note.weights_only = manifest["weights_only"].get<bool>();
  note.recipe_hash = manifest["recipe_hash"].get<std::string>();
  note.writer_version = manifest["writer"].get<std::string>();
  note.written = manifest["written"].get<std::string>();
  return note;
}

void check_size(const fs::path& folder, const std::string& name, const json& expected) {
  std::error_code error;
  const uint64_t bytes = fs::file_size(folder / name, error);
  if (error) refuse(folder, name + " cannot be read: " + error.message());
  if (bytes != expected["bytes"].get<uint64_t>())
    refuse(folder, name + " has " + std::to_string(bytes) + " bytes, its manifest says " + expected["bytes"].dump());
}

void check_sum(const fs::path& folder, const std::string& name, const std::string& sha256, const json& expected) {
  if (sha256 != expected["sha256"].get<std::string>())
    refuse(folder, name + " is damaged: its SHA-256 is not the one in the manifest");
}

std::string read_verified(const fs::path& folder, const std::string& name, const json& expected) {
  check_size(folder, name, expected);
  std::string text = read_part(folder, name);
  check_sum(folder, name, sha256_hex(text), expected);
  return text;
}

/// Read and verified in one pass: at the speed of the disk.
tensor::NamedTensors read_tensors(const fs::path& folder, const std::string& name, const json& expected) {
  check_size(folder, name, expected);
  std::string sha256;
  auto file = tensor::read_safetensors(folder / name, &sha256);
  check_sum(folder, name, sha256, expected);
  return std::move(file.tensors);
}

}  // namespace

void write(const fs::path& folder, const Contents& contents, Note note) {
  require_finite(contents.state, "state");
  require_finite(contents.rng, "rng");
  require(contents.step >= 0, "a checkpoint's step is not negative");
  json files = json::object();
  const auto record = [&](const char* name, const FileDigest& digest) {
    files[name] = {{"bytes", digest.bytes}, {"sha256", digest.sha256}};
    fault_point("checkpoint.after_file");
  };
  const tensor::NamedTensors none;
  record("model.safetensors", tensor::write_safetensors(folder / "model.safetensors", contents.model));
  record("optimizer.safetensors",
         tensor::write_safetensors(folder / "optimizer.safetensors", note.weights_only ? none : contents.optimizer));
  record("method.safetensors", tensor::write_safetensors(folder / "method.safetensors", contents.method));
  if (!contents.averages.empty()) record(kAverages, tensor::write_safetensors(folder / kAverages, contents.averages));
  for (const auto& [name, text] : contents.tokenizer) record(name.c_str(), write_file_synced(folder / name, text));
  record("state.json", write_file_synced(folder / "state.json", contents.state.dump(1)));
  record("rng.json", write_file_synced(folder / "rng.json", contents.rng.dump(1)));
  record("recipe.yaml", write_file_synced(folder / "recipe.yaml", contents.recipe_yaml));

  if (note.score && !std::isfinite(*note.score)) note.score.reset();
  const json manifest = {{"format", kFormat},
                         {"step", contents.step},
                         {"score", note.score ? json(*note.score) : json()},
                         {"higher_is_better", note.higher_is_better},
                         {"keep_forever", note.keep_forever},
                         {"weights_only", note.weights_only},
                         {"recipe_hash", contents.recipe_hash},
                         {"writer", contents.writer_version},
                         {"written", utc_now()},
                         {"files", files}};
  write_file_synced(folder / kManifest, manifest.dump(1) + "\n");
  fault_point("checkpoint.after_manifest");
  sync_folder(folder);
}

Note read_note(const fs::path& folder) { return note_of(read_manifest(folder)); }

Contents load(const fs::path& folder) {
  const json manifest = read_manifest(folder);
  const json& files = manifest["files"];
  const Note note = note_of(manifest);
  Contents contents;
  contents.step = note.step;
  contents.recipe_hash = note.recipe_hash;
  contents.writer_version = note.writer_version;
  const auto text = [&](const std::string& name) { return read_verified(folder, name, files[name]); };
  contents.state = parse_part(folder, "state.json", text("state.json"));
  contents.rng = parse_part(folder, "rng.json", text("rng.json"));
  contents.recipe_yaml = text("recipe.yaml");
  for (const std::string& name : files_of(manifest))
    if (is_tokenizer_file(name)) contents.tokenizer[name] = text(name);
  const auto tensors = [&](const std::string& name) { return read_tensors(folder, name, files[name]); };
  contents.model = tensors("model.safetensors");
  contents.optimizer = tensors("optimizer.safetensors");
  contents.method = tensors("method.safetensors");
  if (files.contains(kAverages)) contents.averages = tensors(kAverages);
  return contents;
}

}  // namespace sst::checkpoint
