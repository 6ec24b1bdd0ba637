#include <fmt/core.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "models/generate.hpp"
#include "run/open_model.hpp"
#include "verb.hpp"

namespace sst::app {

Action add_generate(CLI::App& command) {
  struct Options {
    std::string path, which = "best", weights = "trained";
    std::optional<std::string> prompt;
    int64_t most = 100, samples = 1;
    models::SamplingOptions sampling;
    std::vector<std::string> overrides;
  };
  const auto options = std::make_shared<Options>();
  command.description("continues a text with a trained language model");
  command.add_option("path", options->path, "a run directory or a checkpoint")->required()->type_name("RUN|CKPT");
  command.add_option("--checkpoint", options->which, "best, last or step-N of the run")->type_name("WHICH");
  add_weights_option(command, options->weights);
  command.add_option("--prompt", options->prompt, "the text to continue; default: standard input")->type_name("TEXT");
  command.add_option("--max-new-tokens", options->most, "most tokens to add")->check(CLI::Range(1, 1 << 24));
  command.add_option("--num-samples", options->samples, "texts from the one prompt")->check(CLI::Range(1, 1 << 16));
  command.add_option("--temperature", options->sampling.temperature, "0: always the likeliest token")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--top-k", options->sampling.top_k, "draw among the k likeliest tokens")
      ->check(CLI::PositiveNumber);
  command.add_option("--top-p", options->sampling.top_p, "draw among the likeliest whose probabilities reach p")
      ->check(CLI::Range(0.0, 1.0));
  command.allow_extras();
  examples(command,
           "  sst-train generate runs/tinyshakespeare/3fa9c1d2-s1 --prompt 'ROMEO:' --temperature 0.8 --top-k 40\n"
           "  sst-train generate runs/lm_small/8b2d77aa-s1 --prompt 'It was' seed=7 < /dev/null");
  return [options, &command](const CommonFlags& common) {
    auto opened = run::open_language_model(options->path, options->which, options->weights,
                                           {.overrides = command.remaining(), .builtin = builtin_lookup()});
    options->sampling.seed = static_cast<uint64_t>(opened.recipe.value<int64_t>("seed"));
    const auto& tokenizer = opened.task->tokenizer();
    const std::string prompt =
        options->prompt ? *options->prompt : std::string(std::istreambuf_iterator<char>(std::cin), {});
    std::vector<int32_t> ids = opened.task->text_start();
    tokenizer.encode(prompt, ids);
    if (ids.empty()) throw UserError("the prompt is empty", "give --prompt TEXT or text on standard input");
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (int64_t sample = 0; sample < options->samples; ++sample) {
      const auto added =
          models::generate(opened.task->language_model(), {ids.begin(), ids.end()}, options->most, options->sampling,
                           static_cast<uint64_t>(sample), tokenizer.separator(), opened.pass);
      std::vector<int32_t> all(ids.begin(), ids.end());
      for (const int64_t token : added)
        if (token != tokenizer.separator()) all.push_back(static_cast<int32_t>(token));
      const std::string text = tokenizer.decode(all);
      if (common.json)
        json.push_back({{"sample", sample}, {"text", text}, {"new_tokens", added.size()}});
      else
        fmt::print("{}{}\n", text, options->samples > 1 ? "\n" + std::string(20, '-') : "");
    }
    if (common.json) fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
