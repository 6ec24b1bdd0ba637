#include <fmt/core.h>

#include <filesystem>

#include "checkpoint/checkpoint.hpp"
#include "core/file.hpp"
#include "core/version.hpp"
#include "data/language_data.hpp"
#include "models/hf_folder.hpp"
#include "recipe/load.hpp"
#include "recipe/options_yaml.hpp"
#include "run/recipe_schema.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

namespace fs = std::filesystem;

/// The recipe of a model that was trained elsewhere: its sizes and its tokenizer. A recipe has to say how it
/// trains, so this one names a text that is not there and a single step.
std::string recipe_text(const models::HfModel& model, const fs::path& folder) {
  const auto& config = model.config;
  const bool is_spm = path_exists(folder / "tokenizer.model");
  const fs::path tokenizer = fs::absolute(is_spm ? folder / "tokenizer.model" : folder).lexically_normal();
  text::TokenizerOptions pieces;
  pieces.type = is_spm ? "sentencepiece" : "gpt2_bpe";
  pieces.model = recipe::Path{tokenizer.string()};
  const data::LanguageDataOptions data{
      .format = "text", .train = {{recipe::Path{"none.txt"}}}, .seq_len = config.max_positions};
  return "recipe_version: 1\nname: imported\ntask: language_modeling\n"
         "method: {name: full}\noptim: {name: adamw, lr: 1e-5}\n" +
         fmt::format("train: {{max_steps: 1, global_batch_tokens: {}}}\n", config.max_positions) +
         "data: " + recipe::section_yaml(data) + "\ntokenizer: " + recipe::section_yaml(pieces) +
         "\nmodel: " + recipe::section_yaml(models::to_options(config)) + "\n";
}

}  // namespace

Action add_import(CLI::App& command) {
  struct Options {
    std::string folder, out;
  };
  const auto options = std::make_shared<Options>();
  command.description(
      "reads a Hugging Face folder (OPT, GPT-2, LLaMA) into a checkpoint, for init.from, eval, generate");
  command.add_option("folder", options->folder, "config.json, safetensors, tokenizer files")
      ->required()
      ->type_name("DIR");
  command.add_option("--out", options->out, "the new checkpoint")->required()->type_name("CKPT");
  examples(command,
           "  sst-train import opt-125m --out imported/opt-125m\n"
           "  sst-train recipes/lm/opt_125m.yaml init.from=imported/opt-125m");
  return [options](const CommonFlags& common) {
    require_new_folder(options->out);
    const auto model = models::import_hf(options->folder);
    recipe::Diagnostics diagnostics;
    const auto recipe = recipe::load_text(
        recipe_text(model, options->folder), options->folder,
        {.overrides = {fmt::format("model.vocab_size={}", model.config.vocab_size)}, .builtin = builtin_lookup()},
        run::recipe_schema(), diagnostics);
    diagnostics.throw_if_errors();
    checkpoint::Contents contents;
    for (const auto& [name, tensor] : model.tensors) contents.model[name] = tensor.to(torch::kFloat32);
    for (const char* name :
         {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model"})
      if (const fs::path file = fs::path(options->folder) / name; path_exists(file))
        contents.tokenizer[name] = read_file(file);
    contents.state = {{"step", 0}};
    contents.rng = nlohmann::json::object();
    contents.recipe_yaml = recipe.to_yaml();
    contents.recipe_hash = recipe.hash();
    contents.writer_version = std::string(version_number());
    fs::create_directories(options->out);
    checkpoint::Note note;
    note.weights_only = true;
    checkpoint::write(options->out, contents, note);
    if (!common.quiet) fmt::print("{}\n", options->out);
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
