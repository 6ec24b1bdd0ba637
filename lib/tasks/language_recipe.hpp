#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/language_data.hpp"
#include "models/language_model_options.hpp"
#include "nn/linear.hpp"
#include "recipe/diagnostics.hpp"
#include "recipe/recipe.hpp"
#include "text/tokenizer.hpp"

namespace sst::tasks {

/// `train` of language modelling: what a step is, and how it is cut.
struct LanguageStepOptions {
  int64_t global_batch_tokens = 0;
  recipe::OrWord<int64_t> micro_batch = {.value = std::nullopt, .word = "auto"};
  std::string recompute = "none";

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(global_batch_tokens, "global_batch_tokens", at_least(1).required(),
          "tokens per optimizer step, a multiple of data.seq_len");
    field(micro_batch, "micro_batch", at_least(1).or_word("auto"),
          "sequences that are computed at a time; changes memory and speed, never the result; auto: as many as fit");
    field(recompute, "recompute", one_of({"none", "blocks"}),
          "blocks: keep only the input of each block for backward and compute the rest twice");
  }
};

/// `eval` of language modelling.
struct LanguageEvalOptions {
  std::optional<int64_t> max_batches;

  template <class Field>
  void describe(Field& field) {
    field(max_batches, "max_batches", recipe::at_least(1),
          "evaluate on this many steps' worth of sequences at most; default: all of the split");
  }
};

/// `model.vocab_size`.
struct VocabularyOptions {
  std::optional<int64_t> vocab_size;

  template <class Field>
  void describe(Field& field) {
    field(vocab_size, "vocab_size", recipe::at_least(1),
          "rows of the token embedding; default: the tokenizer's, rounded up to tokenizer.pad_vocab_to");
  }
};

/// Everything a recipe says of a language model's text, shape and steps.
struct LanguageRecipe {
  data::LanguageDataOptions data;
  text::TokenizerOptions tokenizer;
  models::LanguageModelOptions model;
  VocabularyOptions vocabulary;
  LanguageStepOptions step;
  LanguageEvalOptions eval;
  std::string data_root;
  uint64_t seed = 1;

  static LanguageRecipe from(const recipe::Recipe& recipe);

  /// Opens the tokenizer: `tokenizer.model`, or the one that `prepare` trained on these files.
  ///   throws    DataError when neither is there
  std::unique_ptr<text::Tokenizer> open_tokenizer() const;
  /// The same, trained now where the recipe names none and none has been trained (sentencepiece, characters).
  std::unique_ptr<text::Tokenizer> open_or_train_tokenizer() const;

  /// The file or folder the tokenizer is read from; empty where there is none.
  std::filesystem::path tokenizer_path() const;

  int64_t sequences_per_step() const { return step.global_batch_tokens / data.seq_len; }
  models::LanguageModelConfig config(const text::Tokenizer& tokenizer) const;
  /// The same, where there is no tokenizer with the vocabulary that the recipe names, and the preset's otherwise.
  ///   throws    UserError when neither says how large it is
  models::LanguageModelConfig config_without_text() const;
};

/// Reports what the sections of a language model's recipe get wrong together, its files included where they are there.
///   returns   the linear maps of the model; none when that cannot be told
std::vector<nn::LinearSpec> check_language_recipe(const recipe::Recipe& recipe, recipe::Diagnostics& diagnostics);

}  // namespace sst::tasks
