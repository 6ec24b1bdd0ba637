#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/problem.hpp"
#include "data/token_dataset.hpp"
#include "recipe/words.hpp"
#include "text/prepare.hpp"
#include "text/tokenizer.hpp"

namespace sst::data {

/// `data` of language modelling.
struct LanguageDataOptions {
  std::string format;
  recipe::OneOrMany<recipe::Path> train = {}, valid = {};
  std::optional<double> valid_fraction = {};
  std::string text_key = "text";
  std::optional<recipe::Path> prepared_dir = {};
  int64_t seq_len = 0;
  std::string packing = "contiguous";
  bool shuffle = true;
  int64_t num_workers = 2;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(format, "format", one_of({"text", "jsonl", "tokens", "prepared"}).required(),
          "plain text or JSON lines, packed or not, which `prepare` tokenizes; token files of nanoGPT or llm.c; or the "
          "folder that `prepare` made");
    field(train, "train", anything(), "files and globs to train on, relative to data_root");
    field(valid, "valid", anything(),
          "files and globs to validate on; default: documents held out of the training files");
    field(valid_fraction, "valid_fraction", fraction_below_one(),
          "share of the documents held out where `valid` is not given; default: 0.0005 (text and jsonl only)");
    field(text_key, "text_key", anything(), "key of the text in each JSON object (jsonl only)");
    field(prepared_dir, "prepared_dir", anything(),
          "folder of the token shards, relative to data_root; default: prepared/ and a hash of tokenizer and files");
    field(seq_len, "seq_len", at_least(1).required(), "tokens in a sequence");
    field(packing, "packing", one_of({"contiguous", "document"}),
          "sequences that go on through documents, or that end with theirs");
    field(shuffle, "shuffle", anything(), "a new order of the sequences in every epoch; false: as they lie");
    field(num_workers, "num_workers", between(1, 1024), "threads that tokenize");
  }
};

/// What `data` gets wrong before any file is looked at: keys that are missing or do not go together.
std::vector<Problem> check_language_options(const LanguageDataOptions& options);

/// Whether the data are texts that `prepare` has to tokenize.
bool is_raw_text(const LanguageDataOptions& options);

/// How the files of raw text are read.
text::CorpusOptions corpus_options(const LanguageDataOptions& options);

/// The files that `train` or `valid` names. Throws DataError when one is missing.
std::vector<std::filesystem::path> files_of(const recipe::OneOrMany<recipe::Path>& paths,
                                            const std::filesystem::path& data_root);

/// Bytes of the files that `train` and `valid` name, as they lie on disk. Throws DataError when one is missing.
int64_t corpus_bytes(const LanguageDataOptions& options, const std::filesystem::path& data_root);

/// Where the shards lie: prepared_dir, or prepared/HASH below data_root, from the tokenizer and from names and sizes of
/// the files. Nothing for data.format: tokens. Throws DataError when a file is missing.
std::optional<std::filesystem::path> prepared_folder(const LanguageDataOptions& options,
                                                     const std::filesystem::path& data_root,
                                                     const text::Tokenizer& tokenizer);

/// The verb `prepare`: makes the shards of data.format text or jsonl, or finds that they are there and fit. For tokens
/// and prepared there is nothing to make; the files are checked and counted.
///   prepare   without its threads, which data.num_workers says
///   throws    as text::prepare_tokens
text::Preparation prepare_language_data(const LanguageDataOptions& options, const std::filesystem::path& data_root,
                                        const text::Tokenizer& tokenizer, text::PrepareOptions prepare = {});

/// The splits of a language model's data.
struct LanguageData {
  TokenDataset train;
  std::optional<TokenDataset> valid = {};
  /// Bytes of text behind all valid tokens, for bits per byte; nothing for token files.
  std::optional<int64_t> valid_text_bytes = {};
  /// Its words, for perplexity per word; nothing for token files and for shards made before words were counted.
  std::optional<int64_t> valid_text_words = {};
  std::string sha256;  ///< tells other data: of the shards, or the fingerprint of token files
};

/// Maps the token files that the options name. Call it only when check_language_options found nothing.
///   throws    DataError when they are not prepared, damaged, or of another tokenizer or corpus; UserError for packing
///             that the tokenizer cannot do
LanguageData load_language_data(const LanguageDataOptions& options, const std::filesystem::path& data_root,
                                const text::Tokenizer& tokenizer);

}  // namespace sst::data
