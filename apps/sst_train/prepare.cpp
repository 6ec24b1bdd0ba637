#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "data/language_data.hpp"
#include "run/terminal.hpp"
#include "tasks/language_recipe.hpp"
#include "tasks/translation_recipe.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

/// Trains the tokenizers and reads every pair once.
ExitCode prepare_translation(const tasks::TranslationRecipe& recipe, const CommonFlags& common) {
  const auto tokenizers = recipe.open_or_train_tokenizers();
  const auto [source_file, target_file] = recipe.tokenizer_paths();
  nlohmann::ordered_json json = {{"source_tokenizer", source_file.string()},
                                 {"source_vocabulary", tokenizers.source->size()},
                                 {"target_tokenizer", target_file.string()},
                                 {"target_vocabulary", tokenizers.target->size()}};
  std::string text =
      fmt::format("{}: {} ids, {}\n", recipe.data.src_lang, tokenizers.source->size(), source_file.string());
  text += fmt::format("{}: {} ids, {}\n", recipe.data.tgt_lang, tokenizers.target->size(), target_file.string());
  for (const auto& [name, split] : data::translation_splits()) {
    const auto files = data::parallel_files(recipe.data, split, recipe.data_root);
    if (files.source.empty()) continue;
    const text::ParallelCorpus corpus(files, *tokenizers.source, *tokenizers.target,
                                      data::parallel_options(recipe.data, split, recipe.model.max_positions));
    int64_t source_tokens = 0, target_tokens = 0;
    for (const auto& length : corpus.lengths()) {
      source_tokens += length.source;
      target_tokens += length.target;
    }
    json[name] = {{"pairs", corpus.size()}, {"source_tokens", source_tokens}, {"target_tokens", target_tokens}};
    text += fmt::format("{}: {}; {} and {} tokens\n", name, corpus.counts().summary(), source_tokens, target_tokens);
  }
  fmt::print("{}", common.json ? json.dump(2) + "\n" : text);
  return ExitCode::kDone;
}

}  // namespace

Action add_prepare(CLI::App& command) {
  struct Options {
    std::string recipe;
  };
  const auto options = std::make_shared<Options>();
  command.description("tokenizes the texts of a recipe into shards, training its tokenizer first where it names none");
  command.add_option("recipe", options->recipe, "the recipe")->required()->type_name("RECIPE");
  command.allow_extras();
  examples(command, "  sst-train prepare recipes/lm/lm_small.yaml");
  return [options, &command](const CommonFlags& common) {
    CommonFlags silent = common;
    silent.quiet = true;  // that nothing is prepared yet is no news here
    const auto recipe = load_recipe(options->recipe, command.remaining(), silent);
    if (recipe.text("task") == "translation")
      return prepare_translation(tasks::TranslationRecipe::from(recipe), common);
    if (recipe.text("task") != "language_modeling")
      throw UserError(recipe.text("task") + " has nothing to prepare",
                      "data_tools/prepare_graphs.py makes the folders of graph tasks");
    const auto language = tasks::LanguageRecipe::from(recipe);
    const auto tokenizer = language.open_or_train_tokenizer();
    const bool is_terminal = run::stderr_screen().is_terminal;
    double shown_s = -10;
    const auto show = [&](const text::PrepareProgress& progress) {
      if (common.quiet) return;
      // A terminal's line is redrawn; elsewhere a line every ten seconds says that it lives.
      if (is_terminal) return fmt::print(stderr, "\r{}\x1b[K", text::progress_line(progress));
      if (progress.seconds - shown_s < 10) return;
      shown_s = progress.seconds;
      fmt::print(stderr, "{}\n", text::progress_line(progress));
    };
    const auto done = data::prepare_language_data(language.data, language.data_root, *tokenizer, show);
    if (is_terminal && !common.quiet) fmt::print(stderr, "\n");
    const auto folder = data::prepared_folder(language.data, language.data_root, *tokenizer);
    if (common.json) {
      const auto split = [](const text::SplitEntry& entry) {
        return nlohmann::ordered_json{{"documents", entry.documents}, {"bytes", entry.bytes}, {"tokens", entry.tokens}};
      };
      fmt::print("{}\n", nlohmann::ordered_json({{"folder", folder ? folder->string() : ""},
                                                 {"was_there", done.was_there},
                                                 {"train", split(done.manifest.train)},
                                                 {"valid", split(done.manifest.valid)}})
                             .dump(2));
      return ExitCode::kDone;
    }
    fmt::print("{}{}\n", text::describe(done), folder ? "\n" + folder->string() : "");
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
