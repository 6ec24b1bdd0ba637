#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/problem.hpp"
#include "recipe/words.hpp"
#include "text/parallel_corpus.hpp"

namespace sst::data {

/// `data` of translation.
struct TranslationDataOptions {
  std::string format;
  std::string src_lang, tgt_lang;
  recipe::OneOrMany<recipe::Path> train_src = {}, train_tgt = {};
  recipe::OneOrMany<recipe::Path> valid_src = {}, valid_tgt = {};
  recipe::OneOrMany<recipe::Path> test_src = {}, test_tgt = {};
  int64_t max_src_len = 256, max_tgt_len = 256;
  std::string too_long = "drop";
  std::optional<double> max_length_ratio = {};
  bool lowercase = false;
  bool shuffle = true;
  int64_t num_workers = 2;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(format, "format", one_of({"parallel_text"}).required(),
          "text files of sentences, one a line; line i of both languages belongs together");
    field(src_lang, "src_lang", file_name().required(), "language that is read");
    field(tgt_lang, "tgt_lang", file_name().required(), "language that is written");
    field(train_src, "train.src", anything().required(),
          "files to train on, relative to data_root; plain, .gz, .xz, .zst");
    field(train_tgt, "train.tgt", anything().required(), "their translations, in the same order");
    field(valid_src, "valid.src", anything().required(), "files to validate on");
    field(valid_tgt, "valid.tgt", anything().required(), "their translations");
    field(test_src, "test.src", anything(), "files that training never looks at");
    field(test_tgt, "test.tgt", anything(), "their translations");
    field(max_src_len, "max_src_len", at_least(1),
          "most tokens of a source sentence in training, specials not counted");
    field(max_tgt_len, "max_tgt_len", at_least(1),
          "most tokens of a target sentence in training, specials not counted");
    field(too_long, "too_long", one_of({"drop", "truncate", "error"}),
          "what happens to a training pair with a side beyond that; the counts are shown");
    field(max_length_ratio, "max_length_ratio", at_least(1),
          "training pairs whose longer side has more than so many times the tokens of the shorter are dropped");
    field(lowercase, "lowercase", anything(), "lower-case both sides, references too");
    field(shuffle, "shuffle", anything(),
          "batches of pairs of like length, drawn anew in every epoch; false: the pairs as they lie, in every epoch");
    field(num_workers, "num_workers", between(1, 1024), "threads that tokenize");
  }
};

enum class TranslationSplit { kTrain, kValid, kTest };

/// All of them with their names in a recipe, training first.
const std::vector<std::pair<std::string, TranslationSplit>>& translation_splits();

/// The files of a split; both lists are empty where there is no test split. Throws DataError when one is missing.
text::ParallelFiles parallel_files(const TranslationDataOptions& options, TranslationSplit split,
                                   const std::filesystem::path& data_root);

/// Whether any file is there that the options name.
bool has_parallel_files(const TranslationDataOptions& options, const std::filesystem::path& data_root);

/// The most tokens of either side of a training pair: data.max_src_len and max_tgt_len, and not more than a model of so
/// many positions takes, one of which is the target's begin.
text::PairLength longest_pair(const TranslationDataOptions& options, int64_t positions);

/// How the pairs of a split are read for a model of so many positions: filtered for training alone.
text::ParallelOptions parallel_options(const TranslationDataOptions& options, TranslationSplit split,
                                       int64_t positions);

/// What `data` gets wrong before any file is looked at.
std::vector<Problem> check_translation_options(const TranslationDataOptions& options);

}  // namespace sst::data
