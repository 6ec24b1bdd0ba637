#include "tasks/language_recipe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "models/registry.hpp"
#include "tasks/graph_task.hpp"
#include "tasks/tokenizer_files.hpp"
#include "text/characters.hpp"
#include "text/corpus.hpp"
#include "text/sentencepiece_training.hpp"
#include "text/word_vocabulary.hpp"

namespace sst::tasks {
namespace {

namespace fs = std::filesystem;
using recipe::Diagnostics;
using recipe::Recipe;

bool is_trained_here(const text::TokenizerOptions& tokenizer) {
  return !tokenizer.model &&
         (tokenizer.type == "sentencepiece" || tokenizer.type == "characters" || tokenizer.type == "whitespace");
}

fs::path trained_tokenizer(const LanguageRecipe& recipe) {
  const std::string& type = recipe.tokenizer.type;
  return trained_tokenizer_place(recipe.tokenizer, recipe.data.text_key,
                                 data::files_of(recipe.data.train, recipe.data_root), recipe.data_root,
                                 type == "characters"   ? ".json"
                                 : type == "whitespace" ? ".txt"
                                                        : ".model");
}

void train_tokenizer(const LanguageRecipe& recipe, const fs::path& path) {
  const text::CorpusOptions options = data::corpus_options(recipe.data);
  text::CorpusReader reader(data::files_of(recipe.data.train, recipe.data_root), options);
  text::RawDocument document;
  fs::create_directories(path.parent_path());
  if (recipe.tokenizer.type == "characters") {
    std::set<char32_t> characters;
    while (reader.next(document))
      text::collect_characters(text::document_text(std::move(document), options), characters);
    return text::Characters(characters).save(path);
  }
  if (recipe.tokenizer.type == "whitespace") {
    text::WordCounts words;
    while (reader.next(document)) words.add(text::document_text(std::move(document), options));
    if (words.counts().empty()) throw DataError("the training text has no word to put into a vocabulary");
    text::VocabularyLimits limits;
    const auto& specials = text::document_specials();
    if (const auto size = recipe.tokenizer.vocab_size) limits.max_size = *size - static_cast<int64_t>(specials.size());
    if (limits.max_size < 1)
      throw UserError(
          fmt::format("tokenizer.vocab_size is {}, which leaves no room for a word", *recipe.tokenizer.vocab_size),
          "</s> and <unk> are two of its ids");
    return text::write_vocabulary(path, text::vocabulary_words(words, specials, limits));
  }
  // SentencePiece reads sentences: here the lines of every document.
  std::string text;
  size_t at = 0;
  const auto next_line = [&](std::string& sentence) {
    for (;;) {
      while (at < text.size()) {
        const size_t end = std::min(text.find('\n', at), text.size());
        sentence = text.substr(at, end - at);
        at = end + 1;
        if (!sentence.empty()) return true;
      }
      if (!reader.next(document)) return false;
      text = text::document_text(std::move(document), options);
      at = 0;
    }
  };
  text::train_sentencepiece(recipe.tokenizer, next_line, path);
}

void report(const Recipe& recipe, Diagnostics& diagnostics, const std::string& key, const std::string& id,
            const Error& error) {
  diagnostics.error(id, recipe.place(key), error.what(), error.hint());
}

void check_step(const Recipe& recipe, Diagnostics& diagnostics) {
  if (!recipe.sound("train") || !recipe.sound("data")) return;
  const auto step = recipe.read<LanguageStepOptions>("train");
  const auto seq_len = recipe.value<int64_t>("data.seq_len");
  if (step.global_batch_tokens % seq_len != 0)
    return diagnostics.error(
        "E-batch", recipe.place("train.global_batch_tokens"),
        fmt::format("'train.global_batch_tokens' is {}, no multiple of data.seq_len {}", step.global_batch_tokens,
                    seq_len),
        fmt::format("the nearest are {} and {}", std::max(step.global_batch_tokens / seq_len, int64_t{1}) * seq_len,
                    (step.global_batch_tokens / seq_len + 1) * seq_len));
  const int64_t sequences = step.global_batch_tokens / seq_len;
  if (step.micro_batch.value && sequences % *step.micro_batch.value != 0)
    diagnostics.error(
        "E-micro-batch", recipe.place("train.micro_batch"),
        fmt::format("'train.micro_batch' is {}, but a step has {} sequences", *step.micro_batch.value, sequences),
        "use a divisor of it, or auto");
}

/// The key that asks for a metric; nothing where none does.
std::optional<std::string> asking_key(const Recipe& recipe, const std::string& metric) {
  if (!recipe.sound("eval") || !recipe.sound("checkpoint")) return std::nullopt;
  const auto metrics = recipe.value<std::vector<std::string>>("eval.metrics");
  if (std::find(metrics.begin(), metrics.end(), metric) != metrics.end()) return "eval.metrics";
  const std::string best = "checkpoint.best_metric";
  return recipe.has(best) && ends_with(recipe.text(best), "/" + metric) ? std::optional(best) : std::nullopt;
}

/// Metrics of the text behind the tokens, where it is not known.
void check_text_metrics(const Recipe& recipe, Diagnostics& diagnostics, const LanguageRecipe& language) {
  for (const std::string metric : {"ppl_word", "bits_per_byte"})
    if (const auto key = asking_key(recipe, metric); key && language.data.format == "tokens")
      diagnostics.error("E-metric", recipe.place(*key),
                        "'" + metric + "' needs the text behind the tokens, which token files do not keep",
                        "use loss or ppl_token, or give the text itself (data.format: text or jsonl)");
  if (language.eval.max_batches && asking_key(recipe, "ppl_word"))
    diagnostics.error("E-metric", recipe.place("eval.max_batches"),
                      "'eval.max_batches' evaluates a part of the text, whose words are not counted apart: there is no "
                      "'ppl_word' then",
                      "leave it out, or use ppl_token");
}

void check_words_known(const Recipe& recipe, Diagnostics& diagnostics, const data::LanguageData& data) {
  const auto key = asking_key(recipe, "ppl_word");
  if (key && data.valid_text_bytes && !data.valid_text_words)
    diagnostics.error("E-metric", recipe.place(*key),
                      "'ppl_word' needs the number of words, and these token shards were made before it was counted",
                      "remove their folder and run  sst-train prepare  again");
}

/// Nothing when the data are absent or wrong.
std::unique_ptr<text::Tokenizer> check_text(const Recipe& recipe, Diagnostics& diagnostics,
                                            const LanguageRecipe& language) {
  if (!recipe.sound("data") || !recipe.sound("tokenizer")) return nullptr;
  const auto problems = data::check_language_options(language.data);
  for (const auto& problem : problems)
    diagnostics.error(problem.id, recipe.place(problem.key), problem.message, problem.hint);
  if (is_trained_here(language.tokenizer) && language.tokenizer.type == "sentencepiece" &&
      !language.tokenizer.vocab_size)
    diagnostics.error("E-vocabulary", recipe.place("tokenizer"),
                      "neither tokenizer.model nor tokenizer.vocab_size is given",
                      "name a trained model, or the number of pieces to train");
  if (!problems.empty() || diagnostics.has_errors()) return nullptr;
  if (!path_exists(language.data_root)) {
    diagnostics.note(recipe.place("data"), "there is no folder '" + language.data_root +
                                               "', so the data were not checked; docs/language-models.md says what "
                                               "belongs there");
    return nullptr;
  }
  try {
    auto tokenizer = language.open_tokenizer();
    check_words_known(recipe, diagnostics, data::load_language_data(language.data, language.data_root, *tokenizer));
    return tokenizer;
  } catch (const DataError& error) {
    diagnostics.note(recipe.place("data"), std::string(error.what()) + "; " + error.hint());
  } catch (const UserError& error) {
    report(recipe, diagnostics, "data", "E-data", error);
  }
  return nullptr;
}

}  // namespace

LanguageRecipe LanguageRecipe::from(const Recipe& recipe) {
  return {.data = recipe.read<data::LanguageDataOptions>("data"),
          .tokenizer = recipe.read<text::TokenizerOptions>("tokenizer"),
          .model = recipe.read<models::LanguageModelOptions>("model"),
          .vocabulary = recipe.read<VocabularyOptions>("model"),
          .step = recipe.read<LanguageStepOptions>("train"),
          .eval = recipe.read<LanguageEvalOptions>("eval"),
          .data_root = tasks::data_root(recipe),
          .seed = static_cast<uint64_t>(recipe.value<int64_t>("seed"))};
}

fs::path LanguageRecipe::tokenizer_path() const {
  if (is_trained_here(tokenizer)) return trained_tokenizer(*this);
  return tokenizer.model ? fs::path(data_root) / tokenizer.model->text : fs::path();
}

std::unique_ptr<text::Tokenizer> LanguageRecipe::open_tokenizer() const {
  if (!is_trained_here(tokenizer)) return text::make_tokenizer(tokenizer, data_root);
  const fs::path path = trained_tokenizer(*this);
  require_trained(path);
  return text::make_tokenizer(with_model(tokenizer, path), data_root);
}

std::unique_ptr<text::Tokenizer> LanguageRecipe::open_or_train_tokenizer() const {
  if (is_trained_here(tokenizer))
    if (const fs::path path = trained_tokenizer(*this); !path_exists(path)) train_tokenizer(*this, path);
  return open_tokenizer();
}

models::LanguageModelConfig LanguageRecipe::config(const text::Tokenizer& pieces) const {
  const int64_t rows = vocabulary.vocab_size.value_or(text::padded_vocabulary(pieces, tokenizer));
  if (rows < pieces.size())
    throw UserError(fmt::format("model.vocab_size is {}, but the tokenizer has {} ids", rows, pieces.size()),
                    "give at least as many, or leave it out");
  return models::resolved(model, rows);
}

models::LanguageModelConfig LanguageRecipe::config_without_text() const {
  if (vocabulary.vocab_size) return models::resolved(model, vocabulary.vocab_size);
  try {
    return config(*open_tokenizer());
  } catch (const DataError& absent) {
    if (!tokenizer.vocab_size && !model.preset)
      throw UserError(std::string("how many words the model has is not known: ") + absent.what(),
                      "give model.vocab_size");
  }
  return models::resolved(model, tokenizer.vocab_size);
}

std::vector<nn::LinearSpec> check_language_recipe(const Recipe& recipe, Diagnostics& diagnostics) {
  check_step(recipe, diagnostics);
  if (!recipe.sound("model") || !recipe.sound("tokenizer") || !recipe.sound("data")) return {};
  const auto language = LanguageRecipe::from(recipe);
  check_text_metrics(recipe, diagnostics, language);
  const auto tokenizer = check_text(recipe, diagnostics, language);
  try {
    // Without the data the vocabulary is unknown, which no map of a block depends on.
    const auto config = tokenizer ? language.config(*tokenizer)
                                  : models::resolved(language.model, language.vocabulary.vocab_size.value_or(
                                                                         language.tokenizer.vocab_size.value_or(256)));
    if (language.data.seq_len > config.max_positions)
      diagnostics.error("E-positions", recipe.place("data.seq_len"),
                        fmt::format("'data.seq_len' is {}, but the model has {} positions", language.data.seq_len,
                                    config.max_positions),
                        "shorten it, or raise model.max_positions");
    return nn::recorded_maps([&](const nn::Build& build) { models::make_language_model(config, build); });
  } catch (const UserError& error) {
    report(recipe, diagnostics, "model", "E-model", error);
    return {};
  }
}

}  // namespace sst::tasks
