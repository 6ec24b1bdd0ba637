#include <fmt/core.h>

#include <filesystem>

#include "core/version.hpp"
#include "models/hf_folder.hpp"
#include "models/registry.hpp"
#include "recipe/load.hpp"
#include "run/checkpoint.hpp"
#include "run/recipe_schema.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

namespace fs = std::filesystem;

/// The recipe of a model that was trained elsewhere: its sizes and its tokenizer. A recipe has to say how it
/// trains, so this one names a text that is not there and a single step.
std::string recipe_text(const models::HfModel& model, const fs::path& folder) {
  const auto& config = model.config;
  const bool is_spm = fs::exists(folder / "tokenizer.model");
  std::string text = fmt::format(
      "recipe_version: 1\nname: imported\ntask: language_modeling\n"
      "data: {{format: text, train: [none.txt], seq_len: {}}}\n"
      "tokenizer: {{type: {}, model: \"{}\"}}\n"
      "method: {{name: full}}\noptim: {{name: adamw, lr: 1e-5}}\n"
      "train: {{max_steps: 1, global_batch_tokens: {}}}\n",
      config.max_positions, is_spm ? "sentencepiece" : "gpt2_bpe",
      fs::absolute(is_spm ? folder / "tokenizer.model" : folder).lexically_normal().string(), config.max_positions);
  text += "model:\n";
  const auto line = [&](const char* key, const auto& value) { text += fmt::format("  {}: {}\n", key, value); };
  line("family", config.family);
  line("vocab_size", config.vocab_size);
  line("hidden_size", config.hidden_size);
  line("ffn_size", config.ffn_size);
  line("num_layers", config.num_layers);
  line("num_heads", config.num_heads);
  if (config.num_kv_heads != config.num_heads) line("num_kv_heads", config.num_kv_heads);
  if (config.embedding_size != config.hidden_size) line("embedding_size", config.embedding_size);
  line("max_positions", config.max_positions);
  if (config.family == "llama") line("rope_theta", config.rope_theta);
  line("norm_eps", config.norm_eps);
  line("activation", config.activation);
  if (config.family == "opt") line("norm", config.norm);
  line("tie_embeddings", config.tie_embeddings ? "decoder" : "none");
  line("bias", config.bias ? "true" : "false");
  return text;
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
    if (fs::exists(options->out) && !(fs::is_directory(options->out) && fs::is_empty(options->out)))
      throw UserError("'" + options->out + "' is there already", "name a new folder with --out");
    const auto model = models::import_hf(options->folder);
    recipe::Diagnostics diagnostics;
    const auto recipe = recipe::load_text(recipe_text(model, options->folder), options->folder,
                                          {.builtin = builtin_lookup()}, run::recipe_schema(), diagnostics);
    diagnostics.throw_if_errors();
    run::CheckpointContents contents;
    for (const auto& [name, tensor] : model.tensors) contents.model[name] = tensor.to(torch::kFloat32);
    contents.state = {{"step", 0}};
    contents.rng = nlohmann::json::object();
    contents.recipe_yaml = recipe.to_yaml();
    contents.recipe_hash = recipe.hash();
    contents.writer_version = std::string(version_number());
    fs::create_directories(options->out);
    run::CheckpointNote note;
    note.weights_only = true;
    run::write_checkpoint(options->out, contents, note);
    if (!common.quiet) fmt::print("{}\n", options->out);
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
