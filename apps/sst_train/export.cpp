#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "checkpoint/store.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "models/hf_folder.hpp"
#include "models/registry.hpp"
#include "run/open_model.hpp"
#include "run/snapshot.hpp"
#include "tensor/random.hpp"
#include "tensor/safetensors.hpp"
#include "text/new_folder.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

const std::map<std::string, torch::ScalarType> kTypes = {
    {"float32", torch::kFloat32}, {"bfloat16", torch::kBFloat16}, {"float16", torch::kFloat16}};

struct Options {
  std::string path, which = "best", weights = "trained", format = "hf", out, dtype = "float32";
};

/// What a program needs to know to use the tensors: the recipe's model, and which ids a sentence has around it.
nlohmann::ordered_json config_of(const recipe::Recipe& recipe, int64_t step) {
  nlohmann::ordered_json json = {{"task", recipe.text("task")}, {"step", step}};
  for (const auto& setting : recipe.settings()) {
    if (!starts_with(setting.path, "model.") || setting.value.is_null()) continue;
    const std::string text = recipe.text(setting.path);
    auto value = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
    json["model"][setting.path.substr(6)] = value.is_discarded() ? nlohmann::ordered_json(text) : std::move(value);
  }
  if (recipe.text("task") == "translation") {
    const auto translation = tasks::TranslationRecipe::from(recipe);
    const auto vocabulary = translation.vocabulary(translation.open_tokenizers());
    json["model"]["ffn_size"] = translation.model.inner_size();
    json["languages"] = {translation.data.src_lang, translation.data.tgt_lang};
    json["vocabulary"] = {{"source_size", vocabulary.source_size},
                          {"target_size", vocabulary.target_size},
                          {"source_padding", vocabulary.source_padding},
                          {"target_padding", vocabulary.target_padding},
                          {"begin", vocabulary.begin},
                          {"end", vocabulary.end}};
  }
  return json;
}

/// A folder with model.safetensors, config.json, recipe.yaml and the tokenizer's files.
///   returns   the largest difference between a weight and what is read back
double export_tensors(const Options& options, const recipe::LoadOptions& load) {
  require_new_folder(options.out);
  const auto checkpoint = checkpoint::find(options.path, options.which);
  const auto trained = run::trained_tensors(checkpoint, load, options.weights);
  text::NewFolder folder(options.out);
  tensor::NamedTensors tensors;
  for (const auto& [name, tensor] : trained.tensors)
    tensors[name] = tensor.is_floating_point() ? tensor.to(kTypes.at(options.dtype)) : tensor;
  tensor::write_safetensors(folder.path() / "model.safetensors", tensors);
  write_file_synced(folder.path() / "config.json", config_of(trained.recipe, trained.step).dump(2) + "\n");
  write_file_synced(folder.path() / "recipe.yaml", trained.recipe.to_yaml());
  for (const auto& [name, bytes] : trained.tokenizer) write_file_synced(folder.path() / name, bytes);
  double difference = 0;
  for (const auto& [name, tensor] : tensor::read_safetensors(folder.path() / "model.safetensors").tensors)
    if (tensor.numel() > 0)
      difference = std::max(
          difference,
          (tensor.to(torch::kFloat64) - trained.tensors.at(name).to(torch::kFloat64)).abs().max().item<double>());
  folder.publish();
  return difference;
}

/// Reads the folder back and compares its logits on made text with the model's own.
double largest_logit_difference(const run::OpenedModel& opened, const std::filesystem::path& folder) {
  const torch::NoGradGuard no_grad;
  const auto read = models::import_hf(folder);
  const auto again = models::make_language_model(read.config, {});
  nn::load_dense_tensors(*again, {read.tensors.begin(), read.tensors.end()});
  const int64_t length = std::min<int64_t>(32, read.config.max_positions);
  const torch::Tensor ids = tensor::uniform({2, length}, 0, static_cast<double>(read.config.vocab_size),
                                            {1, Stream::kDecode}, torch::kFloat64)
                                .to(torch::kInt64);
  const auto logits_of = [&](models::LanguageModel& model) {
    return model.logits(model.hidden(ids, {})).narrow(-1, 0, read.config.vocab_size).to(torch::kFloat64);
  };
  return (logits_of(opened.task->language_model()) - logits_of(*again)).abs().max().item<double>();
}

double export_hf(const Options& options, const recipe::LoadOptions& load) {
  const auto opened = run::open_language_model(options.path, options.which, options.weights, load);
  models::export_hf(opened.task->language_model(), options.out,
                    {.dtype = kTypes.at(options.dtype), .files = opened.task->tokenizer_files()});
  return largest_logit_difference(opened, options.out);
}

}  // namespace

Action add_export(CLI::App& command) {
  const auto options = std::make_shared<Options>();
  command.description("writes a trained model for other programs, every matrix merged");
  command.add_option("path", options->path, "a run directory or a checkpoint")->required()->type_name("RUN|CKPT");
  command.add_option("--checkpoint", options->which, "best, last or step-N of the run")->type_name("WHICH");
  add_weights_option(command, options->weights);
  command.add_option("--format", options->format, "hf: Hugging Face (language models); safetensors: any model")
      ->check(CLI::IsMember({"hf", "safetensors"}));
  command.add_option("--out", options->out, "the new folder")->required()->type_name("DIR");
  command.add_option("--dtype", options->dtype, "float32, bfloat16 or float16")
      ->check(CLI::IsMember({"float32", "bfloat16", "float16"}));
  command.allow_extras();
  examples(command,
           "  sst-train export runs/lm_small/8b2d77aa-s1 --out exported\n"
           "  sst-train export runs/multi30k/3fa9c1d2-s1 --format safetensors --out exported");
  return [options, &command](const CommonFlags& common) {
    const recipe::LoadOptions load{.overrides = command.remaining(), .builtin = builtin_lookup()};
    const bool is_hf = options->format == "hf";
    const double difference = is_hf ? export_hf(*options, load) : export_tensors(*options, load);
    const std::string key = is_hf ? "largest_logit_difference" : "largest_weight_difference";
    if (common.json)
      fmt::print("{}\n", nlohmann::ordered_json({{"folder", options->out}, {key, difference}}).dump(2));
    else
      fmt::print("{}\nread back, the largest {} difference is {:.3g}\n", options->out, is_hf ? "logit" : "weight",
                 difference);
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
