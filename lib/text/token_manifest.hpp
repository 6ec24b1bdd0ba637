#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "text/corpus.hpp"
#include "text/token_file.hpp"
#include "text/tokenizer.hpp"

namespace sst::text {

/// What is made of a corpus: which files, and how they are cut.
struct CorpusRecipe {
  CorpusOptions read = {};
  std::vector<std::filesystem::path> train;
  std::vector<std::filesystem::path> valid = {};  ///< empty: a share of the training documents is held out
  double valid_fraction = 0;                      ///< that share, by document; 0 when `valid` names files
};

/// A file of the corpus as it was when it was read.
struct CorpusFile {
  std::string path;
  int64_t bytes = 0;
  int64_t modified_ns = 0;  ///< since 1970
  std::string sha256;
};

struct ShardEntry {
  std::string name;
  int64_t tokens = 0;
  std::string sha256;
};

struct SplitEntry {
  int64_t documents = 0;
  int64_t bytes = 0;                  ///< of text, for bits per byte
  std::optional<int64_t> words = {};  ///< of text, for perplexity per word; older manifests do not say
  int64_t tokens = 0;
  std::vector<ShardEntry> shards = {};
};

/// manifest.json of a folder of token shards (docs/formats.md): what they were made from, and what they are.
struct TokenManifest {
  std::string tokenizer_sha256;
  int64_t vocabulary = 0;            ///< ids are 0 … vocabulary − 1
  std::optional<int32_t> separator;  ///< after each document
  TokenType type = TokenType::kUint16;
  CorpusFormat format = CorpusFormat::kText;
  std::string text_key;  ///< empty for kText
  double valid_fraction = 0;
  std::vector<CorpusFile> train_files, valid_files;
  SplitEntry train, valid;

  /// Of the tokens: equal for equal shards, wherever they lie.
  std::string sha256() const;
};

std::string manifest_json(const TokenManifest& manifest);
bool holds_token_shards(const std::filesystem::path& folder);

/// Reads manifest.json and checks that every shard it names is there with its size.
///   throws    DataError with path and reason
TokenManifest read_token_manifest(const std::filesystem::path& folder);

/// Refuses shards that another tokenizer made. Throws DataError.
void require_tokenizer(const TokenManifest& manifest, const Tokenizer& tokenizer, const std::filesystem::path& folder);

/// Refuses shards of another corpus, another cut, or files that have changed since. A file whose size and time are as
/// they were is not read; one with another time is hashed. Throws DataError with the first difference.
void require_corpus(const TokenManifest& manifest, const CorpusRecipe& corpus, const std::filesystem::path& folder);

/// Hashes every shard. Throws DataError that names the first one whose bytes are not the manifest's.
void verify_shards(const TokenManifest& manifest, const std::filesystem::path& folder);

/// Size and time of a file as the manifest keeps them, without the hash.
CorpusFile stat_corpus_file(const std::filesystem::path& path);

}  // namespace sst::text
