#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "models/hf_folder.hpp"
#include "models/registry.hpp"
#include "run/open_model.hpp"
#include "tensor/random.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

const std::map<std::string, torch::ScalarType> kTypes = {
    {"float32", torch::kFloat32}, {"bfloat16", torch::kBFloat16}, {"float16", torch::kFloat16}};

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

}  // namespace

Action add_export(CLI::App& command) {
  struct Options {
    std::string path, which = "best", weights = "trained", format = "hf", out, dtype = "float32";
  };
  const auto options = std::make_shared<Options>();
  command.description("writes a language model as a Hugging Face folder, every matrix merged");
  command.add_option("path", options->path, "a run directory or a checkpoint")->required()->type_name("RUN|CKPT");
  command.add_option("--checkpoint", options->which, "best, last or step-N of the run")->type_name("WHICH");
  add_weights_option(command, options->weights);
  command.add_option("--format", options->format, "hf")->check(CLI::IsMember({"hf"}));
  command.add_option("--out", options->out, "the new folder")->required()->type_name("DIR");
  command.add_option("--dtype", options->dtype, "float32, bfloat16 or float16")
      ->check(CLI::IsMember({"float32", "bfloat16", "float16"}));
  command.allow_extras();
  examples(command, "  sst-train export runs/lm_small/8b2d77aa-s1 --out exported");
  return [options, &command](const CommonFlags& common) {
    auto opened = run::open_language_model(options->path, options->which, options->weights,
                                           {.overrides = command.remaining(), .builtin = builtin_lookup()});
    models::export_hf(opened.task->language_model(), options->out,
                      {.dtype = kTypes.at(options->dtype), .files = opened.task->tokenizer_files()});
    const double difference = largest_logit_difference(opened, options->out);
    if (common.json)
      fmt::print("{}\n",
                 nlohmann::ordered_json({{"folder", options->out}, {"largest_logit_difference", difference}}).dump(2));
    else
      fmt::print("{}\nread back, the largest logit difference is {:.3g}\n", options->out, difference);
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
