#include "text/prepare.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "core/seeds.hpp"
#include "core/text.hpp"
#include "text/corpus_part.hpp"
#include "text/new_folder.hpp"
#include "text/ordered_encoder.hpp"
#include "text/split_writer.hpp"

namespace sst::text {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSplitSeed = 2357;  // nanoGPT's, though its generator is another
constexpr double kProgressEvery_s = 0.25;

using Consume = std::function<void(const EncodedDocument&)>;

/// Reads and tokenizes files of the corpus.
class CorpusEncoder {
 public:
  CorpusEncoder(const CorpusRecipe& corpus, const Tokenizer& tokenizer, int64_t threads)
      : corpus_(corpus), tokenizer_(tokenizer), threads_(threads) {}

  int64_t bytes_read() const { return bytes_read_; }  ///< of all files so far, as they lie on disk

  ReadFiles encode(const std::vector<fs::path>& paths, const Consume& consume) {
    ReadFiles read;
    for (const fs::path& path : paths) read.files.push_back(stat_corpus_file(path));
    CorpusReader reader(paths, corpus_.read);
    OrderedEncoder encoder(tokenizer_, corpus_.read, threads_, consume);
    const int64_t read_before = bytes_read_;
    const auto next = [&](RawDocument& document) {
      try {
        return reader.next(document);
      } catch (const DataError&) {
        encoder.finish();  // an error in an earlier document comes first, however far the threads were
        throw;
      }
    };
    for (RawDocument document; next(document);) {
      bytes_read_ = read_before + reader.bytes_read();
      encoder.add(std::move(document));
    }
    encoder.finish();
    bytes_read_ = read_before + reader.bytes_read();
    read.skipped_members = reader.skipped_members();
    for (size_t i = 0; i < read.files.size(); ++i) {
      CorpusFile& file = read.files[i];
      const FileDigest& digest = reader.digests()[i];
      file.sha256 = digest.sha256;
      if (stat_corpus_file(paths[i]).modified_ns != file.modified_ns ||
          digest.bytes != static_cast<uint64_t>(file.bytes))
        throw DataError("'" + file.path + "' changed while it was read", "run this again when it is complete");
    }
    return read;
  }

 private:
  const CorpusRecipe& corpus_;
  const Tokenizer& tokenizer_;
  int64_t threads_;
  int64_t bytes_read_ = 0;
};

class Pipeline {
 public:
  /// `attempt` is of this preparation alone: what a process of an earlier one still writes is never read.
  Pipeline(const CorpusRecipe& corpus, const Tokenizer& tokenizer, const PrepareOptions& options, fs::path folder,
           int64_t attempt)
      : corpus_(corpus),
        tokenizer_(tokenizer),
        options_(options),
        folder_(std::move(folder)),
        parts_(folder_ / fmt::format("parts-{:x}", attempt)),
        type_(token_type_for(tokenizer.size())),
        encoder_(corpus, tokenizer, options.threads),
        train_files_(shares_of(corpus.train)),
        valid_files_(shares_of(corpus.valid)),
        train_(folder_, "train", type_, options.shard_tokens),
        valid_(folder_, "valid", type_, options.shard_tokens) {
    for (const auto* shares : {&train_files_, &valid_files_})
      for (const fs::path& path : own(*shares)) progress_.total_bytes += stat_corpus_file(path).bytes;
    progress_.shares = options.preparers.size;
  }

  /// The leader's, before the others begin.
  void make_room() const {
    if (options_.preparers.is_alone()) return;
    std::error_code error;
    fs::create_directory(parts_, error);
    if (error) throw ResourceError("cannot make the folder '" + parts_.string() + "': " + error.message());
    for (size_t rank = 0; rank < train_files_.size(); ++rank)
      if (train_files_[rank].empty() && valid_files_[rank].empty())
        log::warning("{} files are too few for {} processes, or too unequal: process {} has nothing to do",
                     corpus_.train.size() + corpus_.valid.size(), options_.preparers.size, rank);
  }

  /// What this one of several processes tokenizes.
  void write_parts() {
    for (const auto& [split, shares] : {std::pair("train", &train_files_), std::pair("valid", &valid_files_)}) {
      const auto& files = own(*shares);
      if (files.empty()) continue;
      fault_point(fmt::format("prepare.part.rank{}", options_.preparers.rank));
      PartWriter part(parts_, part_name(split, options_.preparers.rank), type_);
      part.finish(encode(files, [&](const EncodedDocument& document) { part.write(document); }));
    }
    report(/*at_end=*/true);
  }

  /// All shards, from the parts where there are several processes.
  Preparation write_shards() {
    int64_t document = 0;
    const ReadFiles train = documents_of("train", train_files_, [&](const EncodedDocument& encoded) {
      (is_held_out(document++, corpus_.valid_fraction) ? valid_ : train_).write(encoded);
    });
    const ReadFiles valid =
        documents_of("valid", valid_files_, [&](const EncodedDocument& encoded) { valid_.write(encoded); });
    Preparation made;
    made.manifest = {.tokenizer_sha256 = tokenizer_.sha256(),
                     .vocabulary = tokenizer_.size(),
                     .separator = tokenizer_.separator(),
                     .type = type_,
                     .format = corpus_.read.format,
                     .text_key = corpus_.read.format == CorpusFormat::kJsonl ? corpus_.read.text_key : "",
                     .valid_fraction = corpus_.valid_fraction,
                     .train_files = train.files,
                     .valid_files = valid.files,
                     .train = train_.finish(),
                     .valid = valid_.finish()};
    require_both_splits(made.manifest);
    report(/*at_end=*/true);
    made.skipped_members = train.skipped_members + valid.skipped_members;
    made.total = progress_;
    if (!options_.preparers.is_alone()) fs::remove_all(parts_);
    return made;
  }

 private:
  static std::string part_name(const char* split, int64_t rank) { return fmt::format("{}_part_{:04}", split, rank); }

  using Shares = std::vector<std::vector<fs::path>>;  ///< the files of each process, in order

  Shares shares_of(const std::vector<fs::path>& files) const {
    std::vector<int64_t> bytes;
    for (const fs::path& path : files) bytes.push_back(stat_corpus_file(path).bytes);
    Shares shares;
    for (int64_t rank = 0; rank < options_.preparers.size; ++rank) {
      const auto [begin, end] = share_of_files(bytes, rank, options_.preparers.size);
      shares.emplace_back(files.begin() + static_cast<int64_t>(begin), files.begin() + static_cast<int64_t>(end));
    }
    return shares;
  }

  const std::vector<fs::path>& own(const Shares& shares) const {
    return shares[static_cast<size_t>(options_.preparers.rank)];
  }

  ReadFiles encode(const std::vector<fs::path>& files, const Consume& consume) {
    return encoder_.encode(files, [&](const EncodedDocument& document) {
      consume(document);
      count(document);
    });
  }

  void count(const EncodedDocument& document) {
    ++progress_.documents;
    progress_.tokens += static_cast<int64_t>(document.ids.size());
    progress_.text_bytes += document.text_bytes;
    report();
  }

  /// The documents of a whole split, in order.
  ReadFiles documents_of(const char* split, const Shares& shares, const Consume& consume) {
    if (options_.preparers.is_alone()) return encode(own(shares), consume);
    if (!progress_.joining) progress_ = {.seconds = progress_.seconds, .shares = progress_.shares, .joining = true};
    ReadFiles all;
    for (size_t rank = 0; rank < shares.size(); ++rank) {
      if (shares[rank].empty()) continue;
      const std::string name = part_name(split, static_cast<int64_t>(rank));
      const ReadFiles read = read_part(parts_, name, type_, [&](const EncodedDocument& document) {
        consume(document);
        count(document);
      });
      const auto is_same = [](const CorpusFile& file, const fs::path& path) {
        return file.path == stat_corpus_file(path).path;
      };
      if (!std::equal(read.files.begin(), read.files.end(), shares[rank].begin(), shares[rank].end(), is_same))
        throw DataError("the files of the corpus changed while several processes looked at them",
                        "run this again when they are complete");
      all.files.insert(all.files.end(), read.files.begin(), read.files.end());
      all.skipped_members += read.skipped_members;
    }
    return all;
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
    if (!progress_.joining) progress_.read_bytes = encoder_.bytes_read();
    if (options_.progress) options_.progress(progress_);
  }

  const CorpusRecipe& corpus_;
  const Tokenizer& tokenizer_;
  const PrepareOptions& options_;
  fs::path folder_, parts_;
  TokenType type_;
  CorpusEncoder encoder_;
  Shares train_files_, valid_files_;
  SplitWriter train_, valid_;
  PrepareProgress progress_;
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
  const std::string so_far = fmt::format("  {} documents  {} of text", with_thousands(progress.documents),
                                         human_bytes(static_cast<double>(progress.text_bytes)));
  if (progress.joining) return fmt::format("prepare: joining {} shares", progress.shares) + so_far;
  const int64_t percent = progress.total_bytes > 0 ? 100 * progress.read_bytes / progress.total_bytes : 0;
  const std::string of = progress.shares > 1 ? fmt::format(" of the first of {} shares", progress.shares) : "";
  std::string line = fmt::format("prepare {}%{}{}  {:.1f} MB/s", percent, of, so_far, progress.megabytes_per_s());
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

namespace {

/// The shards in `folder`, where they are there and fit.
std::optional<Preparation> found_in(const fs::path& folder, const CorpusRecipe& corpus, const Tokenizer& tokenizer) {
  if (!holds_token_shards(folder)) return std::nullopt;
  Preparation found = {.manifest = read_token_manifest(folder), .was_there = true};
  require_tokenizer(found.manifest, tokenizer, folder);
  require_corpus(found.manifest, corpus, folder);
  return found;
}

/// The same of what the leader says is there: another machine may see it a little later.
Preparation shown_in(const fs::path& folder, const CorpusRecipe& corpus, const Tokenizer& tokenizer, double most_s) {
  for (const Stopwatch watch; watch.seconds() < most_s; std::this_thread::sleep_for(std::chrono::milliseconds(200)))
    if (auto found = found_in(folder, corpus, tokenizer)) return *found;
  throw ResourceError("the first process says that '" + folder.string() + "' is there, but this one does not see it",
                      "all processes need the same disk");
}

constexpr int64_t kIsThere = 0;  ///< said in the place of an attempt

Preparation follow(const CorpusRecipe& corpus, const Tokenizer& tokenizer, const fs::path& folder,
                   const PrepareOptions& options) {
  const Preparers& all = options.preparers;
  if (const int64_t attempt = all.from_leader(kIsThere); attempt != kIsThere) {
    Pipeline(corpus, tokenizer, options, NewFolder::temporary(folder), attempt).write_parts();
    all.meet();  // every part is there
    all.meet();  // and so are the shards
  }
  return shown_in(folder, corpus, tokenizer, options.disk_delay_s);
}

Preparation lead(const CorpusRecipe& corpus, const Tokenizer& tokenizer, const fs::path& folder,
                 const PrepareOptions& options) {
  const Preparers& all = options.preparers;
  const auto say_found = [&](const Preparation& found) {
    all.from_leader(kIsThere);
    return found;
  };
  if (const auto found = found_in(folder, corpus, tokenizer)) return say_found(*found);
  NewFolder made(folder);
  // Another run may have made it while this one waited.
  if (const auto found = found_in(folder, corpus, tokenizer)) return say_found(*found);
  made.start();
  const int64_t attempt = 1 + static_cast<int64_t>(std::random_device()());
  Pipeline pipeline(corpus, tokenizer, options, made.path(), attempt);
  pipeline.make_room();
  all.from_leader(attempt);
  if (!all.is_alone()) {
    pipeline.write_parts();
    all.meet();
  }
  Preparation preparation = pipeline.write_shards();
  fault_point("prepare.manifest");
  write_file_synced(made.path() / "manifest.json", manifest_json(preparation.manifest));
  made.publish();
  all.meet();
  return preparation;
}

}  // namespace

Preparation prepare_tokens(const CorpusRecipe& corpus, const Tokenizer& tokenizer, const fs::path& folder,
                           const PrepareOptions& options) {
  require_disjoint(corpus);
  return (options.preparers.is_leader() ? lead : follow)(corpus, tokenizer, folder, options);
}

}  // namespace sst::text
