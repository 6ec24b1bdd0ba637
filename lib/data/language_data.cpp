#include "data/language_data.hpp"

#include <fmt/core.h>

#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"

namespace sst::data {
namespace {

namespace fs = std::filesystem;

constexpr double kDefaultValidFraction = 0.0005;  // nanoGPT's share of OpenWebText

text::CorpusRecipe corpus_of(const LanguageDataOptions& options, const fs::path& data_root) {
  text::CorpusRecipe corpus;
  corpus.read = corpus_options(options);
  corpus.train = files_of(options.train, data_root);
  corpus.valid = files_of(options.valid, data_root);
  if (corpus.valid.empty()) corpus.valid_fraction = options.valid_fraction.value_or(kDefaultValidFraction);
  return corpus;
}

fs::path folder_for(const LanguageDataOptions& options, const fs::path& data_root, const text::CorpusRecipe& corpus,
                    const text::Tokenizer& tokenizer) {
  if (options.prepared_dir) return data_root / options.prepared_dir->text;
  Sha256 digest;
  digest.update(fmt::format("{}\n{}\n{}\n{}\n", tokenizer.sha256(), options.format,
                            options.format == "jsonl" ? options.text_key : "", corpus.valid_fraction));
  for (const auto* files : {&corpus.train, &corpus.valid}) {
    digest.update("files\n");
    for (const fs::path& path : *files)
      digest.update(fmt::format("{}\n{}\n", path.filename().string(), text::stat_corpus_file(path).bytes));
  }
  return data_root / "prepared" / digest.hex().substr(0, 12);
}

std::vector<text::TokenFile> shard_files(const fs::path& folder, const text::SplitEntry& split, text::TokenType type) {
  std::vector<text::TokenFile> files;
  for (const text::ShardEntry& shard : split.shards) files.emplace_back(folder / shard.name, type);
  return files;
}

std::vector<text::TokenFile> token_files(const recipe::OneOrMany<recipe::Path>& paths, const fs::path& data_root,
                                         const text::Tokenizer& tokenizer) {
  std::vector<text::TokenFile> files;
  for (const fs::path& path : files_of(paths, data_root))
    files.emplace_back(path, text::token_type_for(tokenizer.size()));  // nanoGPT's layout does not say
  return files;
}

/// Training leaves out what fills no sequence; a measurement is one of the whole text.
TokenDataset dataset(const char* name, std::vector<text::TokenFile> files, const LanguageDataOptions& options,
                     const text::Tokenizer& tokenizer) {
  return {text::TokenStream(std::move(files)),
          {.name = name,
           .seq_len = options.seq_len,
           .packing = options.packing == "document" ? Packing::kDocument : Packing::kContiguous,
           .shuffle = options.shuffle,
           .keep_rest = std::string_view(name) == "valid",
           .vocabulary = tokenizer.size(),
           .separator = tokenizer.separator()}};
}

LanguageData load_token_files(const LanguageDataOptions& options, const fs::path& data_root,
                              const text::Tokenizer& tokenizer) {
  LanguageData data = {.train = dataset("train", token_files(options.train, data_root, tokenizer), options, tokenizer),
                       .sha256 = {}};
  std::string both = data.train.stream().fingerprint();
  if (!options.valid.values.empty()) {
    data.valid = dataset("valid", token_files(options.valid, data_root, tokenizer), options, tokenizer);
    both += data.valid->stream().fingerprint();
  }
  data.sha256 = sha256_hex(both);
  return data;
}

/// The manifest of the shards, checked against tokenizer and corpus.
std::pair<fs::path, text::TokenManifest> fitting_shards(const LanguageDataOptions& options, const fs::path& data_root,
                                                        const text::Tokenizer& tokenizer) {
  if (!is_raw_text(options)) {
    const fs::path folder = data_root / options.prepared_dir->text;
    auto manifest = text::read_token_manifest(folder);
    text::require_tokenizer(manifest, tokenizer, folder);
    return {folder, std::move(manifest)};
  }
  const text::CorpusRecipe corpus = corpus_of(options, data_root);
  const fs::path folder = folder_for(options, data_root, corpus, tokenizer);
  auto manifest = text::read_token_manifest(folder);
  text::require_tokenizer(manifest, tokenizer, folder);
  text::require_corpus(manifest, corpus, folder);
  return {folder, std::move(manifest)};
}

}  // namespace

bool is_raw_text(const LanguageDataOptions& options) { return options.format == "text" || options.format == "jsonl"; }

text::CorpusOptions corpus_options(const LanguageDataOptions& options) {
  text::CorpusOptions read;
  read.format = options.format == "jsonl" ? text::CorpusFormat::kJsonl : text::CorpusFormat::kText;
  read.text_key = options.text_key;
  return read;
}

std::vector<fs::path> files_of(const recipe::OneOrMany<recipe::Path>& paths, const fs::path& data_root) {
  std::vector<std::string> patterns;
  for (const recipe::Path& path : paths.values) patterns.push_back(path.text);
  return text::corpus_files(patterns, data_root);
}

std::vector<Problem> check_language_options(const LanguageDataOptions& options) {
  std::vector<Problem> problems;
  const auto report = [&](const char* key, const char* id, std::string message, std::string hint) {
    problems.push_back({key, id, std::move(message), std::move(hint)});
  };
  const bool has_train = !options.train.values.empty(), has_valid = !options.valid.values.empty();
  if (options.format == "prepared") {
    if (!options.prepared_dir)
      report("data.format", "E-prepared-dir", "'data.format' is prepared, but 'data.prepared_dir' is not given",
             "name the folder that `prepare` made");
    if (has_train || has_valid || options.valid_fraction)
      report("data.format", "E-prepared-files",
             "'data.format' is prepared, and the shards say themselves what is trained and validated on",
             "leave out data.train, data.valid and data.valid_fraction");
    return problems;
  }
  if (!has_train)
    report("data.train", "E-train-files",
           fmt::format("'data.format' is {}, but 'data.train' names no file", options.format),
           "train: [\"openwebtext/*.jsonl\"], relative to data_root");
  if (has_valid && options.valid_fraction)
    report("data.valid_fraction", "E-valid-fraction", "'data.valid' names the files, so no fraction is held out",
           "leave out one of the two");
  if (options.format == "tokens" && options.valid_fraction)
    report("data.valid_fraction", "E-valid-fraction",
           "token files are not split, because documents are no longer told apart", "name a file in data.valid");
  if (options.format == "tokens" && options.prepared_dir)
    report("data.prepared_dir", "E-prepared-dir", "token files need no preparation", "leave data.prepared_dir out");
  return problems;
}

int64_t corpus_bytes(const LanguageDataOptions& options, const fs::path& data_root) {
  int64_t bytes = 0;
  for (const auto* paths : {&options.train, &options.valid})
    for (const fs::path& path : files_of(*paths, data_root)) bytes += text::stat_corpus_file(path).bytes;
  return bytes;
}

std::optional<fs::path> prepared_folder(const LanguageDataOptions& options, const fs::path& data_root,
                                        const text::Tokenizer& tokenizer) {
  if (options.format == "tokens") return std::nullopt;
  if (options.prepared_dir) return data_root / options.prepared_dir->text;
  return folder_for(options, data_root, corpus_of(options, data_root), tokenizer);
}

text::Preparation prepare_language_data(const LanguageDataOptions& options, const fs::path& data_root,
                                        const text::Tokenizer& tokenizer, text::PrepareOptions prepare) {
  if (is_raw_text(options)) {
    const text::CorpusRecipe corpus = corpus_of(options, data_root);
    prepare.threads = options.num_workers;
    return text::prepare_tokens(corpus, tokenizer, folder_for(options, data_root, corpus, tokenizer), prepare);
  }
  if (options.format == "prepared")
    return {.manifest = fitting_shards(options, data_root, tokenizer).second, .was_there = true};
  const LanguageData data = load_token_files(options, data_root, tokenizer);
  text::Preparation there = {.manifest = {}, .was_there = true};
  there.manifest.train.tokens = data.train.tokens();
  if (data.valid) there.manifest.valid.tokens = data.valid->tokens();
  return there;
}

LanguageData load_language_data(const LanguageDataOptions& options, const fs::path& data_root,
                                const text::Tokenizer& tokenizer) {
  if (options.format == "tokens") return load_token_files(options, data_root, tokenizer);
  const auto [folder, manifest] = fitting_shards(options, data_root, tokenizer);
  LanguageData data = {
      .train = dataset("train", shard_files(folder, manifest.train, manifest.type), options, tokenizer),
      .sha256 = manifest.sha256()};
  if (manifest.valid.tokens > 0) {
    data.valid = dataset("valid", shard_files(folder, manifest.valid, manifest.type), options, tokenizer);
    data.valid_text_bytes = manifest.valid.bytes;
    data.valid_text_words = manifest.valid.words;
  }
  return data;
}

}  // namespace sst::data
