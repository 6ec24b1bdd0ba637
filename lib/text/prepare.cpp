#include "text/prepare.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/file.hpp"
#include "core/seeds.hpp"
#include "core/text.hpp"
#include "text/new_folder.hpp"
#include "text/ordered_encoder.hpp"

namespace sst::text {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSplitSeed = 2357;  // nanoGPT's, though its generator is another
constexpr double kProgressEvery_s = 0.25;

/// The shards of one split, one open at a time.
class SplitWriter {
 public:
  SplitWriter(const fs::path& folder, std::string name, TokenType type, int64_t shard_tokens)
      : folder_(folder), name_(std::move(name)), type_(type), shard_tokens_(shard_tokens) {}

  void write(const EncodedDocument& document) {
    ++split_.documents;
    split_.bytes += document.text_bytes;
    *split_.words += document.words;
    split_.tokens += static_cast<int64_t>(document.ids.size());
    for (std::span<const int32_t> rest = document.ids; !rest.empty();) {  // a document may go on in the next shard
      if (!shard_) open();
      const auto part = std::min(rest.size(), static_cast<size_t>(shard_tokens_ - shard_->tokens()));
      shard_->write(rest.first(part));
      rest = rest.subspan(part);
      if (shard_->tokens() == shard_tokens_) close();
    }
  }
  SplitEntry finish() {
    if (shard_) close();
    return split_;
  }
  const SplitEntry& so_far() const { return split_; }

 private:
  void open() {
    fault_point("prepare.shard");
    split_.shards.push_back(
        {.name = fmt::format("{}_{:06}.bin", name_, split_.shards.size()), .tokens = 0, .sha256 = {}});
    shard_ = std::make_unique<TokenFileWriter>(folder_ / split_.shards.back().name, type_);
  }
  void close() {
    split_.shards.back().tokens = shard_->tokens();
    split_.shards.back().sha256 = shard_->finish().sha256;
    shard_.reset();
  }

  fs::path folder_;
  std::string name_;
  TokenType type_;
  int64_t shard_tokens_;
  SplitEntry split_ = {.words = 0};
  std::unique_ptr<TokenFileWriter> shard_;
};

class Pipeline {
 public:
  Pipeline(const CorpusRecipe& corpus, const Tokenizer& tokenizer, const PrepareOptions& options,
           const fs::path& folder)
      : corpus_(corpus),
        tokenizer_(tokenizer),
        options_(options),
        train_(folder, "train", token_type_for(tokenizer.size()), options.shard_tokens),
        valid_(folder, "valid", token_type_for(tokenizer.size()), options.shard_tokens) {
    for (const auto* files : {&corpus.train, &corpus.valid})
      for (const fs::path& path : *files) progress_.total_bytes += stat_corpus_file(path).bytes;
  }

  Preparation run() {
    int64_t document = 0;
    auto train_files = stream(corpus_.train, [&](const EncodedDocument& encoded) {
      (is_held_out(document++, corpus_.valid_fraction) ? valid_ : train_).write(encoded);
    });
    auto valid_files = stream(corpus_.valid, [&](const EncodedDocument& encoded) { valid_.write(encoded); });
    Preparation made;
    made.manifest = {.tokenizer_sha256 = tokenizer_.sha256(),
                     .vocabulary = tokenizer_.size(),
                     .separator = tokenizer_.separator(),
                     .type = token_type_for(tokenizer_.size()),
                     .format = corpus_.read.format,
                     .text_key = corpus_.read.format == CorpusFormat::kJsonl ? corpus_.read.text_key : "",
                     .valid_fraction = corpus_.valid_fraction,
                     .train_files = std::move(train_files),
                     .valid_files = std::move(valid_files),
                     .train = train_.finish(),
                     .valid = valid_.finish()};
    require_both_splits(made.manifest);
    report(/*at_end=*/true);
    made.skipped_members = skipped_;
    made.total = progress_;
    return made;
  }

 private:
  std::vector<CorpusFile> stream(const std::vector<fs::path>& paths,
                                 const std::function<void(const EncodedDocument&)>& write) {
    std::vector<CorpusFile> files;
    for (const fs::path& path : paths) files.push_back(stat_corpus_file(path));
    CorpusReader reader(paths, corpus_.read);
    OrderedEncoder encoder(tokenizer_, corpus_.read, options_.threads, [&](const EncodedDocument& document) {
      write(document);
      report();
    });
    const int64_t read_before = progress_.read_bytes;
    const auto next = [&](RawDocument& document) {
      try {
        return reader.next(document);
      } catch (const DataError&) {
        encoder.finish();  // an error in an earlier document comes first, however far the threads were
        throw;
      }
    };
    for (RawDocument document; next(document);) {
      progress_.read_bytes = read_before + reader.bytes_read();
      encoder.add(std::move(document));
    }
    encoder.finish();
    progress_.read_bytes = read_before + reader.bytes_read();
    skipped_ += reader.skipped_members();
    for (size_t i = 0; i < files.size(); ++i) {
      files[i].sha256 = reader.digests()[i].sha256;
      const CorpusFile now = stat_corpus_file(paths[i]);
      if (now.modified_ns != files[i].modified_ns || reader.digests()[i].bytes != static_cast<uint64_t>(files[i].bytes))
        throw DataError("'" + files[i].path + "' changed while it was read", "run this again when it is complete");
    }
    return files;
  }

  void require_both_splits(const TokenManifest& manifest) const {
    if (manifest.train.documents == 0)
      throw DataError(fmt::format("of {} documents none is left for training", manifest.valid.documents),
                      "lower data.valid_fraction, or name files in data.valid");
    if (corpus_.valid_fraction > 0 && manifest.valid.documents == 0)
      throw DataError(fmt::format("of {} documents none was held out for validation with data.valid_fraction: {}",
                                  manifest.train.documents, corpus_.valid_fraction),
                      "raise it, name files in data.valid, or separate documents by lines of <|endoftext|>");
  }

  void report(bool at_end = false) {
    if (!at_end && watch_.seconds() < progress_.seconds + kProgressEvery_s) return;
    progress_.seconds = watch_.seconds();
    const SplitEntry &train = train_.so_far(), &valid = valid_.so_far();
    progress_.documents = train.documents + valid.documents;
    progress_.tokens = train.tokens + valid.tokens;
    progress_.text_bytes = train.bytes + valid.bytes;
    if (options_.progress) options_.progress(progress_);
  }

  const CorpusRecipe& corpus_;
  const Tokenizer& tokenizer_;
  const PrepareOptions& options_;
  SplitWriter train_, valid_;
  PrepareProgress progress_;
  int64_t skipped_ = 0;
  Stopwatch watch_;
};

void require_disjoint(const CorpusRecipe& corpus) {
  require(corpus.valid.empty() || corpus.valid_fraction == 0, "prepare_tokens: validation files and a fraction");
  std::set<fs::path> train;
  for (const fs::path& path : corpus.train) train.insert(fs::weakly_canonical(path));
  for (const fs::path& path : corpus.valid)
    if (train.contains(fs::weakly_canonical(path)))
      throw DataError("'" + path.string() + "' is in data.train and in data.valid",
                      "a file for validation must not be trained on");
}

}  // namespace

double PrepareProgress::megabytes_per_s() const {
  return seconds > 0 ? static_cast<double>(text_bytes) / 1e6 / seconds : 0;
}

std::optional<double> PrepareProgress::eta_s() const {
  if (read_bytes == 0 || seconds < 1) return std::nullopt;
  return seconds * static_cast<double>(total_bytes - read_bytes) / static_cast<double>(read_bytes);
}

std::string progress_line(const PrepareProgress& progress) {
  const int64_t percent = progress.total_bytes > 0 ? 100 * progress.read_bytes / progress.total_bytes : 0;
  std::string line =
      fmt::format("prepare {}%  {} documents  {} of text  {:.1f} MB/s", percent, with_thousands(progress.documents),
                  human_bytes(static_cast<double>(progress.text_bytes)), progress.megabytes_per_s());
  if (const auto eta_s = progress.eta_s(); eta_s && percent < 100) line += "  eta " + human_duration(*eta_s);
  return line;
}

std::string describe(const Preparation& preparation) {
  const auto part = [](const SplitEntry& split, const char* name) {
    std::string text = fmt::format("{}: {} tokens", name, with_thousands(split.tokens));
    if (split.documents > 0)
      text += fmt::format(" from {} documents, {} of text", with_thousands(split.documents),
                          human_bytes(static_cast<double>(split.bytes)));
    return text;
  };
  const TokenManifest& manifest = preparation.manifest;
  std::string text = part(manifest.train, "train");
  if (manifest.valid.tokens > 0) text += "\n" + part(manifest.valid, "valid");
  if (preparation.skipped_members > 0)
    text += fmt::format("\nskipped {} members of archives that are of other kinds",
                        with_thousands(preparation.skipped_members));
  if (preparation.was_there) return text + "\nnothing to do: the tokens are there and fit";
  return text + fmt::format("\n{} at {:.1f} MB/s", human_duration(preparation.total.seconds),
                            preparation.total.megabytes_per_s());
}

bool is_held_out(int64_t document, double valid_fraction) {
  static const CounterRng rng(kSplitSeed, Stream::kData, name_index("held-out documents"));
  const auto words = rng.block(static_cast<uint64_t>(document));
  const uint64_t bits = (uint64_t{words[1]} << 32 | words[0]) >> 11;
  return static_cast<double>(bits) * 0x1p-53 < valid_fraction;
}

Preparation prepare_tokens(const CorpusRecipe& corpus, const Tokenizer& tokenizer, const fs::path& folder,
                           const PrepareOptions& options) {
  require_disjoint(corpus);
  const auto there = [&]() -> std::optional<Preparation> {
    if (!holds_token_shards(folder)) return std::nullopt;
    Preparation found = {.manifest = read_token_manifest(folder), .was_there = true};
    require_tokenizer(found.manifest, tokenizer, folder);
    require_corpus(found.manifest, corpus, folder);
    return found;
  };
  if (auto found = there()) return *found;
  NewFolder made(folder);
  if (auto found = there()) return *found;  // another process has made it while this one waited
  made.start();
  Preparation preparation = Pipeline(corpus, tokenizer, options, made.path()).run();
  fault_point("prepare.manifest");
  write_file_synced(made.path() / "manifest.json", manifest_json(preparation.manifest));
  made.publish();
  return preparation;
}

}  // namespace sst::text
