#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "core/terminal.hpp"
#include "core/version.hpp"
#include "data/language_data.hpp"
#include "dist/group.hpp"
#include "dist/launch.hpp"
#include "processes.hpp"
#include "run/options.hpp"
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

/// A terminal's line is drawn again and again; elsewhere there is a line every ten seconds, which says that it lives.
std::function<void(const text::PrepareProgress&)> progress_printer(bool is_terminal) {
  return [is_terminal, shown_s = -10.0](const text::PrepareProgress& progress) mutable {
    if (is_terminal) return fmt::print(stderr, "\r{}\x1b[K", text::progress_line(progress));
    if (progress.seconds - shown_s < 10) return;
    shown_s = progress.seconds;
    fmt::print(stderr, "{}\n", text::progress_line(progress));
  };
}

/// Tokenizes the corpus, with the other processes of the launch where there are some.
ExitCode prepare_language(const recipe::Recipe& recipe, const dist::Launch& launch, const CommonFlags& common) {
  if (launch.rank > 0) log::set_level(log::Level::kWarning);
  const auto language = tasks::LanguageRecipe::from(recipe);
  const dist::Group group(
      launch, {.timeout = std::chrono::seconds(recipe.read<run::DistributedOptions>("distributed").timeout.seconds),
               .folder = language.data_root});
  group.require_same("program", version_text());
  group.require_same("recipe", recipe.hash());
  if (!group.is_leader()) group.barrier(dist::kLongWait);
  const auto tokenizer = language.open_or_train_tokenizer();  // the leader trains it, the others find it
  if (group.is_leader()) group.barrier(dist::kLongWait);

  const bool is_terminal = stderr_screen().is_terminal, shows = !common.quiet && group.is_leader();
  text::PrepareOptions options;
  options.preparers = {.rank = group.rank(), .size = group.size(), .from_leader = [&](int64_t number) {
                         return group.from_leader(number, dist::kLongWait);
                       }};
  if (shows) options.progress = progress_printer(is_terminal);
  const auto done = data::prepare_language_data(language.data, language.data_root, *tokenizer, options);
  if (!group.is_leader()) return ExitCode::kDone;
  if (is_terminal && shows) fmt::print(stderr, "\n");
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
}

}  // namespace

Action add_prepare(CLI::App& command) {
  struct Options {
    std::string recipe, nproc;
  };
  const auto options = std::make_shared<Options>();
  command.description("tokenizes the texts of a recipe into shards, training its tokenizer first where it names none");
  command.add_option("recipe", options->recipe, "the recipe")->required()->type_name("RECIPE");
  add_nproc_option(command, options->nproc, "that share the files of a language model's text");
  command.allow_extras();
  examples(command,
           "  sst-train prepare recipes/lm/lm_small.yaml\n"
           "  srun sst-train prepare recipes/lm/opt_125m.yaml      # on the machines of a batch job");
  return [options, &command](const CommonFlags& common) {
    const dist::Launch launch = dist::detect_launch();
    CommonFlags silent = common;
    silent.quiet = true;  // that nothing is prepared yet is no news here
    const auto recipe = load_recipe(options->recipe, command.remaining(), silent);
    const std::string task = recipe.text("task");
    if (task != "language_modeling" && task != "translation")
      throw UserError(task + " has nothing to prepare",
                      "data_tools/prepare_graphs.py makes the folders of graph tasks");
    if (task == "translation" && !(launch.is_single() && options->nproc.empty()))
      throw UserError("translation's text is prepared by one process", "start it without a launcher and --nproc");
    if (const auto code = run_processes(options->nproc, launch, common)) return *code;
    return task == "translation" ? prepare_translation(tasks::TranslationRecipe::from(recipe), common)
                                 : prepare_language(recipe, launch, common);
  };
}

}  // namespace sst::app
