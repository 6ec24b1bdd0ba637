#include "text/token_manifest.hpp"

#include <fmt/core.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace sst::text {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kManifestFormat = "sst-tokens";
constexpr int kManifestVersion = 1;

std::string format_name(CorpusFormat format) { return format == CorpusFormat::kText ? "text" : "jsonl"; }

[[noreturn]] void fail_manifest(const fs::path& path, const std::string& reason) {
  throw DataError("'" + path.string() + "' is no manifest of token shards: " + reason,
                  "remove the folder and run  sst-train prepare  again");
}

[[noreturn]] void refuse_shards(const fs::path& folder, const std::string& reason) {
  throw DataError("the shards in '" + folder.string() + "' do not fit: " + reason,
                  "give data.prepared_dir another folder, or remove this one, and run  sst-train prepare  again");
}

Json to_json(const std::vector<CorpusFile>& files) {
  Json list = Json::array();
  for (const CorpusFile& file : files)
    list.push_back(
        {{"path", file.path}, {"bytes", file.bytes}, {"modified_ns", file.modified_ns}, {"sha256", file.sha256}});
  return list;
}

std::vector<CorpusFile> files_from(const Json& list) {
  std::vector<CorpusFile> files;
  for (const Json& file : list)
    files.push_back({file.at("path"), file.at("bytes"), file.at("modified_ns"), file.at("sha256")});
  return files;
}

Json to_json(const SplitEntry& split) {
  Json shards = Json::array();
  for (const ShardEntry& shard : split.shards)
    shards.push_back({{"name", shard.name}, {"tokens", shard.tokens}, {"sha256", shard.sha256}});
  Json json = {{"documents", split.documents}, {"bytes", split.bytes}};
  if (split.words) json["words"] = *split.words;
  json["tokens"] = split.tokens;
  json["shards"] = shards;
  return json;
}

SplitEntry split_from(const Json& json) {
  SplitEntry split = {.documents = json.at("documents"), .bytes = json.at("bytes"), .tokens = json.at("tokens")};
  if (json.contains("words")) split.words = json.at("words").get<int64_t>();
  for (const Json& shard : json.at("shards"))
    split.shards.push_back({shard.at("name"), shard.at("tokens"), shard.at("sha256")});
  return split;
}

/// One of two words, as a choice between two values.
template <class Value>
Value choice_from(const Json& json, const char* first_word, Value first, const char* second_word, Value second) {
  if (json == first_word) return first;
  if (json == second_word) return second;
  throw DataError(fmt::format("{} is neither {} nor {}", json.dump(), first_word, second_word));
}

TokenManifest parse_manifest(const Json& json) {
  TokenManifest manifest;
  const Json& tokenizer = json.at("tokenizer");
  manifest.tokenizer_sha256 = tokenizer.at("sha256");
  manifest.vocabulary = tokenizer.at("size");
  if (!tokenizer.at("separator").is_null()) manifest.separator = tokenizer.at("separator").get<int32_t>();
  manifest.type = choice_from(json.at("dtype"), "uint16", TokenType::kUint16, "uint32", TokenType::kUint32);
  const Json& corpus = json.at("corpus");
  manifest.format = choice_from(corpus.at("format"), "text", CorpusFormat::kText, "jsonl", CorpusFormat::kJsonl);
  manifest.text_key = corpus.at("text_key");
  manifest.valid_fraction = corpus.at("valid_fraction");
  manifest.train_files = files_from(corpus.at("train"));
  manifest.valid_files = files_from(corpus.at("valid"));
  manifest.train = split_from(json.at("splits").at("train"));
  manifest.valid = split_from(json.at("splits").at("valid"));
  return manifest;
}

/// Every shard there, with the bytes that its tokens take; and the sum as the manifest says.
void check_shards(const fs::path& folder, const SplitEntry& split, TokenType type) {
  int64_t tokens = 0;
  for (const ShardEntry& shard : split.shards) {
    const fs::path path = folder / shard.name;
    if (path.parent_path() != folder)
      fail_manifest(folder / "manifest.json", "shard '" + shard.name + "' is no file name");
    std::error_code error;
    const uint64_t bytes = fs::file_size(path, error);
    if (error) throw DataError("cannot read shard '" + path.string() + "': " + error.message());
    const uint64_t promised = static_cast<uint64_t>(shard.tokens) * static_cast<uint64_t>(type);
    if (bytes != promised)
      throw DataError(fmt::format("shard '{}' has {} bytes, its manifest promises {} ({} {} tokens)", path.string(),
                                  bytes, promised, shard.tokens, token_type_name(type)),
                      "copy it again, or remove the folder and run  sst-train prepare  again");
    tokens += shard.tokens;
  }
  if (tokens != split.tokens)
    fail_manifest(folder / "manifest.json", fmt::format("its shards hold {} tokens, it says {}", tokens, split.tokens));
}

void require_files(const fs::path& folder, const std::vector<CorpusFile>& known, const std::vector<fs::path>& now,
                   const char* split) {
  if (known.size() != now.size())
    refuse_shards(folder,
                  fmt::format("they were made from {} {} files, the recipe names {}", known.size(), split, now.size()));
  for (size_t i = 0; i < now.size(); ++i) {
    const CorpusFile file = stat_corpus_file(now[i]);
    const bool untouched = file.path == known[i].path && file.modified_ns == known[i].modified_ns;
    if (file.bytes == known[i].bytes && (untouched || sha256_of_file(now[i]) == known[i].sha256)) continue;
    refuse_shards(folder, file.path == known[i].path
                              ? fmt::format("'{}' has changed since they were made", file.path)
                              : fmt::format("'{}' is not '{}', from which they were made", file.path, known[i].path));
  }
}

}  // namespace

std::string TokenManifest::sha256() const {
  Sha256 digest;
  digest.update(tokenizer_sha256);
  digest.update(token_type_name(type));
  for (const SplitEntry* split : {&train, &valid}) {
    digest.update("split");
    for (const ShardEntry& shard : split->shards) digest.update(shard.sha256);
  }
  return digest.hex();
}

std::string manifest_json(const TokenManifest& manifest) {
  const Json json = {
      {"format", kManifestFormat},
      {"version", kManifestVersion},
      {"tokenizer",
       {{"sha256", manifest.tokenizer_sha256},
        {"size", manifest.vocabulary},
        {"separator", manifest.separator ? Json(*manifest.separator) : Json()}}},
      {"dtype", token_type_name(manifest.type)},
      {"corpus",
       {{"format", format_name(manifest.format)},
        {"text_key", manifest.text_key},
        {"valid_fraction", manifest.valid_fraction},
        {"train", to_json(manifest.train_files)},
        {"valid", to_json(manifest.valid_files)}}},
      {"splits", {{"train", to_json(manifest.train)}, {"valid", to_json(manifest.valid)}}},
  };
  return json.dump(1) + "\n";
}

bool holds_token_shards(const fs::path& folder) { return path_exists(folder / "manifest.json"); }

TokenManifest read_token_manifest(const fs::path& folder) {
  const fs::path path = folder / "manifest.json";
  if (!path_exists(path))
    throw DataError("'" + folder.string() + "' holds no token shards: there is no manifest.json in it",
                    "run  sst-train prepare  first");
  const std::string bytes = read_file(path);
  TokenManifest manifest;
  try {
    const Json json = Json::parse(bytes);
    if (json.at("format") != kManifestFormat || json.at("version") != kManifestVersion)
      throw DataError(fmt::format("it is not of format {}, version {}", kManifestFormat, kManifestVersion));
    manifest = parse_manifest(json);
  } catch (const std::exception& error) {
    fail_manifest(path, error.what());
  }
  check_shards(folder, manifest.train, manifest.type);
  check_shards(folder, manifest.valid, manifest.type);
  return manifest;
}

void require_tokenizer(const TokenManifest& manifest, const Tokenizer& tokenizer, const fs::path& folder) {
  if (tokenizer.sha256() != manifest.tokenizer_sha256)
    refuse_shards(folder, fmt::format("another tokenizer made them (sha256 {}…, {} ids; the recipe's has {}…, {} ids)",
                                      manifest.tokenizer_sha256.substr(0, 12), manifest.vocabulary,
                                      tokenizer.sha256().substr(0, 12), tokenizer.size()));
}

void require_corpus(const TokenManifest& manifest, const CorpusRecipe& corpus, const fs::path& folder) {
  if (corpus.read.format != manifest.format)
    refuse_shards(folder, "they were made with data.format: " + format_name(manifest.format));
  if (corpus.read.format == CorpusFormat::kJsonl && corpus.read.text_key != manifest.text_key)
    refuse_shards(folder, "they were made with data.text_key: " + manifest.text_key);
  if (corpus.valid_fraction != manifest.valid_fraction)
    refuse_shards(folder, fmt::format("they were made with data.valid_fraction: {}", manifest.valid_fraction));
  require_files(folder, manifest.train_files, corpus.train, "training");
  require_files(folder, manifest.valid_files, corpus.valid, "validation");
}

void verify_shards(const TokenManifest& manifest, const fs::path& folder) {
  for (const SplitEntry* split : {&manifest.train, &manifest.valid})
    for (const ShardEntry& shard : split->shards)
      if (sha256_of_file(folder / shard.name) != shard.sha256)
        throw DataError("shard '" + (folder / shard.name).string() + "' is damaged: its SHA-256 is not the manifest's",
                        "copy it again, or remove the folder and run  sst-train prepare  again");
}

CorpusFile stat_corpus_file(const fs::path& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  const auto time = error ? fs::file_time_type() : fs::last_write_time(path, error);
  if (error) throw DataError("cannot read '" + path.string() + "': " + error.message());
  const auto since =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::file_clock::to_sys(time).time_since_epoch());
  return {.path = path.string(), .bytes = static_cast<int64_t>(bytes), .modified_ns = since.count(), .sha256 = {}};
}

}  // namespace sst::text
