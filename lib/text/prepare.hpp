#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "text/preparers.hpp"
#include "text/token_manifest.hpp"
#include "text/tokenizer.hpp"

namespace sst::text {

/// How far a preparation is.
struct PrepareProgress {
  int64_t documents = 0;
  int64_t tokens = 0;
  int64_t text_bytes = 0;                   ///< of the documents
  int64_t read_bytes = 0, total_bytes = 0;  ///< of the files as they lie on disk
  double seconds = 0;
  int64_t shares = 1;    ///< of several processes; all of the above is of this one's
  bool joining = false;  ///< the leader puts all shares together

  double megabytes_per_s() const;       ///< of text, 10⁶ bytes
  std::optional<double> eta_s() const;  ///< nothing before there is a rate
};

/// "prepare 41%  12,345 documents  3.2 GB  18.3 MB/s  eta 12m".
std::string progress_line(const PrepareProgress& progress);

struct PrepareOptions {
  int64_t threads = 2;                 ///< of each process that tokenize; one more reads and writes
  int64_t shard_tokens = 100'000'000;  ///< most tokens in one shard
  /// Called at most four times a second and at the end, by the calling thread. What it throws ends the preparation.
  std::function<void(const PrepareProgress&)> progress = {};
  Preparers preparers = {};  ///< all call prepare_tokens with the same corpus and tokenizer; each takes whole files
  double disk_delay_s =
      60;  ///< how much later than the first process another machine may see what is on the shared disk
};

struct Preparation {
  TokenManifest manifest;
  bool was_there = false;       ///< the folder held these shards already
  int64_t skipped_members = 0;  ///< of archives: files of other kinds
  PrepareProgress total = {};   ///< zeros when it was there
};

/// "train: 9,035,582,198 tokens from 8,009,762 documents, 37.2 GiB of text" and so on, a line each, for people.
std::string describe(const Preparation& preparation);

/// Tokenizes a corpus into a folder of shards (train_000000.bin, valid_000000.bin, …, nanoGPT's layout, the separator
/// after each document) and manifest.json. The folder appears whole or not at all: an interrupted preparation begins
/// again, and one that is there is only checked. Shards depend on corpus and tokenizer, never on the number of threads or
/// processes.
///   throws    DataError: an unreadable document, a corpus too small for its split, a folder with other shards or files;
///             ResourceError: disk; UserError: stopped by a signal while another process was preparing this folder
Preparation prepare_tokens(const CorpusRecipe& corpus, const Tokenizer& tokenizer, const std::filesystem::path& folder,
                           const PrepareOptions& options = {});

/// Whether a training document is held out for validation; depends on its number in the corpus alone.
bool is_held_out(int64_t document, double valid_fraction);

}  // namespace sst::text
