#include "tasks/translation_recipe.hpp"

#include <fmt/format.h>

#include <unordered_set>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "models/translation_model.hpp"
#include "tasks/graph_task.hpp"
#include "tasks/tokenizer_files.hpp"
#include "text/parallel_text.hpp"
#include "text/sentencepiece_training.hpp"
#include "text/unicode_properties.hpp"
#include "text/word_vocabulary.hpp"

namespace sst::tasks {
namespace {

namespace fs = std::filesystem;
using data::TranslationSplit;
using recipe::Diagnostics;
using recipe::Recipe;

bool is_sentencepiece(const TranslationRecipe& recipe) { return recipe.tokenizer.type == "sentencepiece"; }

/// The lines of files, one after the other, as the model will see them.
text::NextSentence sentences_of(const TranslationRecipe& recipe, std::vector<fs::path> files) {
  return [next = text::lines_of(std::move(files)), lowercase = recipe.data.lowercase](std::string& sentence) {
    if (!next(sentence)) return false;
    if (lowercase) sentence = text::to_lower(sentence);
    return true;
  };
}

/// The training files of one language, or of both.
std::vector<fs::path> learnt_from(const TranslationRecipe& recipe, bool source, bool target) {
  const auto files = data::parallel_files(recipe.data, TranslationSplit::kTrain, recipe.data_root);
  std::vector<fs::path> all;
  if (source) all.insert(all.end(), files.source.begin(), files.source.end());
  if (target) all.insert(all.end(), files.target.begin(), files.target.end());
  return all;
}

fs::path trained_place(const TranslationRecipe& recipe, bool source, bool target) {
  const std::string reading = fmt::format("translation {} {} {}", recipe.data.lowercase, source, target);
  return trained_tokenizer_place(recipe.tokenizer, reading, learnt_from(recipe, source, target), recipe.data_root,
                                 is_sentencepiece(recipe) ? ".model" : ".vocab");
}

void train(const TranslationRecipe& recipe, bool source, bool target, const fs::path& path) {
  if (path_exists(path)) return;
  fs::create_directories(path.parent_path());
  const auto next = sentences_of(recipe, learnt_from(recipe, source, target));
  if (is_sentencepiece(recipe)) return text::train_sentencepiece(recipe.tokenizer, next, path);
  text::WordCounts counts;
  for (std::string sentence; next(sentence);) counts.add(sentence);
  text::VocabularyLimits limits;
  if (recipe.tokenizer.vocab_size) limits.max_size = *recipe.tokenizer.vocab_size;
  const auto& specials = target ? text::target_specials() : text::source_specials();
  text::write_vocabulary(path, text::vocabulary_words(counts, specials, limits));
}

std::shared_ptr<const text::SentenceTokenizer> open(const TranslationRecipe& recipe, const fs::path& path) {
  if (recipe.tokenizer.model && !path_exists(path))
    throw DataError("there is no tokenizer '" + path.string() + "'",
                    "name one in tokenizer.model, or leave it out to have one trained");
  require_trained(path);
  auto tokenizer = text::make_tokenizer(with_model(recipe.tokenizer, path), recipe.data_root);
  auto* const sentences = dynamic_cast<text::SentenceTokenizer*>(tokenizer.get());
  require(sentences != nullptr, "tokenizer.type '" + recipe.tokenizer.type + "' does not know sentences");
  tokenizer.release();
  return std::shared_ptr<const text::SentenceTokenizer>(sentences);
}

void check_special_words(const SentenceTokenizers& tokenizers) {
  const auto need = [](bool there, const std::string& which, const std::string& what) {
    if (!there)
      throw UserError("the vocabulary of the " + which + " language has no " + what,
                      "train one with `sst-train prepare`, which puts <unk>, a padding, <s> and </s> in");
  };
  need(tokenizers.source->padding().has_value(), "source", "padding");
  need(tokenizers.target->padding().has_value(), "target", "padding");
  need(tokenizers.target->begin().has_value(), "target", "<s>");
  need(tokenizers.target->separator().has_value(), "target", "</s>");
}

void check_batch(const Recipe& recipe, Diagnostics& diagnostics, const TranslationStepOptions& step) {
  const auto error = [&](const std::string& key, const std::string& message, const std::string& hint) {
    diagnostics.error("E-batch", recipe.place(key), message, hint);
  };
  if (step.max_tokens.has_value() == step.max_sentences.has_value())
    return error("train",
                 step.max_tokens ? "'train.max_tokens' and 'train.max_sentences' are both given"
                                 : "neither 'train.max_tokens' nor 'train.max_sentences' is given",
                 "give one of them: it is the size of a micro-batch");
  const auto whole = [&](const std::string& unit, std::optional<int64_t> most, std::optional<int64_t> global) {
    const std::string small = "train.max_" + unit, large = "train.global_batch_" + unit;
    if (!global) return;
    if (!most) return error(large, "'" + large + "' is not used without '" + small + "'", "remove it");
    if (*global % *most != 0)
      error(large, fmt::format("'{}' is {}, no multiple of {} {}", large, *global, small, *most),
            fmt::format("the nearest are {} and {}", std::max<int64_t>(*global / *most, 1) * *most,
                        (*global / *most + 1) * *most));
  };
  whole("tokens", step.max_tokens, step.global_batch_tokens);
  whole("sentences", step.max_sentences, step.global_batch_sentences);
}

/// Calls check(name, split, files) for every split; what is wrong with its data is an error at its place in the recipe.
template <class Check>
void each_split(const Recipe& recipe, Diagnostics& diagnostics, const TranslationRecipe& translation,
                const Check& check) {
  for (const auto& [name, split] : data::translation_splits()) {
    try {
      const auto files = data::parallel_files(translation.data, split, translation.data_root);
      if (!files.source.empty()) check(name, split, files);
    } catch (const DataError& error) {
      diagnostics.error("E-data", recipe.place("data." + name), error.what(), error.hint());
    }
  }
}

/// Reads every pair once: line counts, encoding, and pairs of one split in another.
void check_files(const Recipe& recipe, Diagnostics& diagnostics, const TranslationRecipe& translation) {
  std::unordered_set<size_t> trained;  // hashes of pairs; a false match is too rare to matter for a warning
  each_split(recipe, diagnostics, translation, [&](const std::string& name, TranslationSplit split, const auto& files) {
    text::ParallelReader reader(files);
    text::SentencePair pair;
    int64_t seen = 0;
    while (reader.next(pair)) {
      const size_t hash = std::hash<std::string>()(pair.source + "\n" + pair.target);
      if (split == TranslationSplit::kTrain)
        trained.insert(hash);
      else if (trained.count(hash) > 0)
        ++seen;
    }
    if (seen > 0)
      diagnostics.warning("W-leak", recipe.place("data." + name),
                          fmt::format("{} pairs of data.{} are training pairs too", seen, name),
                          "its scores will be better than they should be");
  });
}

/// Sentences that the model cannot take, where they would end a run: training text that is filtered loses them instead.
void check_lengths(const Recipe& recipe, Diagnostics& diagnostics, const TranslationRecipe& translation,
                   const SentenceTokenizers& tokenizers) {
  each_split(recipe, diagnostics, translation, [&](const std::string&, TranslationSplit split, const auto& files) {
    if (split == TranslationSplit::kTrain && translation.data.too_long != "error") return;
    text::ParallelCorpus(files, *tokenizers.source, *tokenizers.target,
                         data::parallel_options(translation.data, split, translation.model.max_positions));
  });
}

/// Nothing when the text is absent or wrong.
std::optional<SentenceTokenizers> check_text(const Recipe& recipe, Diagnostics& diagnostics,
                                             const TranslationRecipe& translation) {
  const auto problems = data::check_translation_options(translation.data);
  for (const auto& problem : problems)
    diagnostics.error(problem.id, recipe.place(problem.key), problem.message, problem.hint);
  const auto& tokenizer = translation.tokenizer;
  if (!is_sentencepiece(translation) && tokenizer.type != "whitespace")
    diagnostics.error("E-tokenizer", recipe.place("tokenizer.type"),
                      "'tokenizer.type' is '" + tokenizer.type + "', which translation does not know",
                      "use sentencepiece, or whitespace for text that is cut already");
  else if (is_sentencepiece(translation) && !tokenizer.model && !tokenizer.vocab_size)
    diagnostics.error("E-vocabulary", recipe.place("tokenizer"),
                      "neither tokenizer.model nor tokenizer.vocab_size is given",
                      "name a trained model, or the number of pieces to train");
  if (diagnostics.has_errors()) return std::nullopt;
  if (!data::has_parallel_files(translation.data, translation.data_root)) {
    diagnostics.note(recipe.place("data"), "none of its files is in '" + translation.data_root +
                                               "', so the data were not checked; docs/translation.md says what belongs "
                                               "there");
    return std::nullopt;
  }
  check_files(recipe, diagnostics, translation);
  if (diagnostics.has_errors()) return std::nullopt;
  try {
    const auto tokenizers = translation.open_tokenizers();
    check_lengths(recipe, diagnostics, translation, tokenizers);
    return tokenizers;
  } catch (const Error& error) {
    if (tokenizer.model)
      diagnostics.error("E-data", recipe.place("tokenizer.model"), error.what(), error.hint());
    else  // `train` and `prepare` train it
      diagnostics.note(recipe.place("tokenizer"), std::string(error.what()) + "; " + error.hint());
  }
  return std::nullopt;
}

/// Without the data the vocabulary is unknown, which no map of a block depends on.
models::TranslationVocabulary supposed_vocabulary(const TranslationRecipe& translation) {
  const int64_t size = translation.tokenizer.vocab_size.value_or(256);
  return {.source_size = size, .target_size = size};
}

}  // namespace

data::BatchLimit TranslationStepOptions::limit() const {
  if (max_tokens) return {.unit = data::BatchLimit::Unit::kTokens, .size = *max_tokens};
  return {.unit = data::BatchLimit::Unit::kSentences, .size = max_sentences.value_or(1)};
}

int64_t TranslationStepOptions::micro_batches() const {
  if (max_tokens) return global_batch_tokens.value_or(*max_tokens) / *max_tokens;
  return global_batch_sentences.value_or(limit().size) / limit().size;
}

TranslationRecipe TranslationRecipe::from(const Recipe& recipe) {
  return {.data = recipe.read<data::TranslationDataOptions>("data"),
          .tokenizer = recipe.read<text::TokenizerOptions>("tokenizer"),
          .model = recipe.read<models::TranslationOptions>("model"),
          .step = recipe.read<TranslationStepOptions>("train"),
          .eval = recipe.read<TranslationEvalOptions>("eval"),
          .decode = recipe.read<models::BeamOptions>("eval"),
          .scoring = recipe.read<metrics::TranslationScoring>("eval"),
          .metrics = recipe.value<std::vector<std::string>>("eval.metrics"),
          .data_root = tasks::data_root(recipe),
          .seed = static_cast<uint64_t>(recipe.value<int64_t>("seed"))};
}

std::pair<fs::path, fs::path> TranslationRecipe::tokenizer_paths() const {
  if (tokenizer.joint) {
    const fs::path both =
        tokenizer.model ? fs::path(data_root) / tokenizer.model->text : trained_place(*this, true, true);
    return {both, both};
  }
  if (!tokenizer.model) return {trained_place(*this, true, false), trained_place(*this, false, true)};
  const fs::path folder = fs::path(data_root) / tokenizer.model->text;
  const std::string extension = is_sentencepiece(*this) ? ".model" : ".vocab";
  return {folder / (data.src_lang + extension), folder / (data.tgt_lang + extension)};
}

SentenceTokenizers TranslationRecipe::open_tokenizers() const {
  const auto [source, target] = tokenizer_paths();
  SentenceTokenizers tokenizers{.source = open(*this, source), .target = nullptr};
  tokenizers.target = source == target ? tokenizers.source : open(*this, target);
  check_special_words(tokenizers);
  return tokenizers;
}

SentenceTokenizers TranslationRecipe::open_or_train_tokenizers() const {
  if (!tokenizer.model) {
    const auto [source, target] = tokenizer_paths();
    train(*this, /*source=*/true, /*target=*/tokenizer.joint, source);
    if (!tokenizer.joint) train(*this, /*source=*/false, /*target=*/true, target);
  }
  return open_tokenizers();
}

models::TranslationVocabulary TranslationRecipe::vocabulary(const SentenceTokenizers& tokenizers) const {
  return {.source_size = text::padded_vocabulary(*tokenizers.source, tokenizer),
          .target_size = text::padded_vocabulary(*tokenizers.target, tokenizer),
          .source_padding = *tokenizers.source->padding(),
          .target_padding = *tokenizers.target->padding(),
          .begin = *tokenizers.target->begin(),
          .end = *tokenizers.target->separator()};
}

std::vector<nn::LinearSpec> check_translation_recipe(const Recipe& recipe, Diagnostics& diagnostics) {
  if (recipe.sound("train")) check_batch(recipe, diagnostics, recipe.read<TranslationStepOptions>("train"));
  if (!recipe.sound("model") || !recipe.sound("tokenizer") || !recipe.sound("data") || !recipe.sound("eval") ||
      !recipe.sound("train"))
    return {};
  const auto translation = TranslationRecipe::from(recipe);
  if (translation.model.geometry == "lorentz" && recipe.sound("precision") &&
      recipe.text("precision.compute") == "bf16")
    diagnostics.error("E-precision", recipe.place("precision"),
                      "points of the hyperboloid lose their digits in bfloat16",
                      "use precision: fp32 with model.geometry: lorentz");
  if (translation.model.tie_embeddings == "all" && !translation.tokenizer.joint)
    diagnostics.error("E-tied", recipe.place("model.tie_embeddings"),
                      "'model.tie_embeddings' is 'all', but the languages have a vocabulary each",
                      "set tokenizer.joint: true, or tie the decoder alone");
  if (translation.data.src_lang == translation.data.tgt_lang && !translation.tokenizer.joint)
    diagnostics.error("E-languages", recipe.place("data.tgt_lang"),
                      "'data.tgt_lang' is '" + translation.data.tgt_lang + "', the name of the source language too",
                      "name them apart, as in en and en_simple, or use tokenizer.joint: true");
  const auto splits = recipe.value<std::vector<std::string>>("eval.splits");
  if (translation.data.test_src.values.empty() && std::find(splits.begin(), splits.end(), "test") != splits.end())
    diagnostics.error("E-splits", recipe.place("eval.splits"), "'eval.splits' names test, but there is no data.test",
                      "give data.test, or leave test out");
  const auto tokenizers = check_text(recipe, diagnostics, translation);
  try {
    const auto vocabulary = tokenizers ? translation.vocabulary(*tokenizers) : supposed_vocabulary(translation);
    return nn::recorded_maps(
        [&](const nn::Build& build) { models::make_translation_model(translation.model, vocabulary, build); });
  } catch (const UserError& error) {
    diagnostics.error("E-model", recipe.place("model"), error.what(), error.hint());
    return {};
  }
}

}  // namespace sst::tasks
