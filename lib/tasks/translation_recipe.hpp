#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/pair_batches.hpp"
#include "data/translation_data.hpp"
#include "metrics/translation_metrics.hpp"
#include "models/beam_search.hpp"
#include "models/translation_options.hpp"
#include "nn/linear.hpp"
#include "recipe/diagnostics.hpp"
#include "recipe/recipe.hpp"
#include "text/tokenizer.hpp"

namespace sst::tasks {

/// `train` of translation: what a step is, and what is minimised.
struct TranslationStepOptions {
  std::optional<int64_t> max_tokens, max_sentences;
  std::optional<int64_t> global_batch_tokens, global_batch_sentences;
  double label_smoothing = 0;
  std::string recompute = "none";

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(max_tokens, "max_tokens", at_least(1),
          "size of a micro-batch: pairs times the longer of source + 2 and target + 1 tokens, padding included");
    field(max_sentences, "max_sentences", at_least(1), "size of a micro-batch in pairs, in place of max_tokens");
    field(global_batch_tokens, "global_batch_tokens", at_least(1),
          "size of an optimizer step, a multiple of max_tokens; default: one micro-batch");
    field(global_batch_sentences, "global_batch_sentences", at_least(1),
          "pairs per optimizer step, a multiple of max_sentences; default: one micro-batch");
    field(label_smoothing, "label_smoothing", fraction_below_one(),
          "share of the target distribution that all wrong words have together");
    field(recompute, "recompute", one_of({"none", "blocks"}),
          "blocks: keep only the input of each block for backward and compute the rest twice");
  }

  data::BatchLimit limit() const;
  int64_t micro_batches() const;  ///< in an optimizer step
};

/// `eval` of translation.
struct TranslationEvalOptions {
  int64_t samples = 5;
  std::optional<int64_t> max_batches;

  template <class Field>
  void describe(Field& field) {
    field(
        max_batches, "max_batches", recipe::at_least(1),
        "an evaluation during training looks at so many micro-batches from the start of the valid split; default: all");
    field(samples, "samples", recipe::at_least(0), "translations that are shown when text is decoded");
  }
};

/// The tokenizers of both languages: one object where they share it.
struct SentenceTokenizers {
  std::shared_ptr<const text::SentenceTokenizer> source, target;
};

/// Everything a recipe says of a translation model's text, shape and steps.
struct TranslationRecipe {
  data::TranslationDataOptions data;
  text::TokenizerOptions tokenizer;
  models::TranslationOptions model;
  TranslationStepOptions step;
  TranslationEvalOptions eval;
  models::BeamOptions decode;
  metrics::TranslationScoring scoring;
  std::vector<std::string> metrics;  ///< empty: all
  std::string data_root;
  uint64_t seed = 1;

  static TranslationRecipe from(const recipe::Recipe& recipe);

  /// The files that the tokenizers are read from, of source and target: those of `tokenizer.model`, or those that
  /// `prepare` trains on the training text.
  std::pair<std::filesystem::path, std::filesystem::path> tokenizer_paths() const;
  ///   throws    DataError when they are not there; UserError for a vocabulary without what a sentence needs
  SentenceTokenizers open_tokenizers() const;
  /// The same, trained now where the recipe names none and none have been trained.
  SentenceTokenizers open_or_train_tokenizers() const;

  models::TranslationVocabulary vocabulary(const SentenceTokenizers& tokenizers) const;
};

/// Reports what the sections of a translation recipe get wrong together, its files included where they are there.
///   returns   the linear maps of the model; none when that cannot be told
std::vector<nn::LinearSpec> check_translation_recipe(const recipe::Recipe& recipe, recipe::Diagnostics& diagnostics);

}  // namespace sst::tasks
