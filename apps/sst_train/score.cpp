#include <fmt/core.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "data/token_dataset.hpp"
#include "run/open_model.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

void score_tokens(const run::OpenedModel& opened, const std::string& path, int64_t seq_len, bool as_json) {
  const auto& tokenizer = opened.task->tokenizer();
  std::vector<text::TokenFile> files;
  files.emplace_back(path, text::token_type_for(tokenizer.size()));
  const data::TokenDataset dataset(
      text::TokenStream(std::move(files)),
      {.seq_len = seq_len, .shuffle = false, .vocabulary = tokenizer.size(), .separator = tokenizer.separator()});
  const auto loss = opened.task->loss_over(dataset, dataset.size(), opened.pass);
  const double nats = loss.sum.item<double>(), count = loss.count;
  if (as_json)
    fmt::print("{}\n", nlohmann::ordered_json({{"nats", nats}, {"tokens", count}, {"loss", nats / count}}).dump(2));
  else
    fmt::print("nats\t{:.6f}\ntokens\t{:.0f}\nloss\t{:.6f}\nppl_token\t{:.6f}\n", nats, count, nats / count,
               std::exp(nats / count));
}

/// Every line of standard input: its log-probability, tokens and perplexity.
void score_lines(const run::OpenedModel& opened) {
  const torch::NoGradGuard no_grad;
  const auto& tokenizer = opened.task->tokenizer();
  for (std::string line; std::getline(std::cin, line);) {
    // The first token needs something to follow: the separator, where there is one.
    std::vector<int32_t> ids;
    if (const auto separator = tokenizer.separator()) ids.push_back(*separator);
    tokenizer.encode(line, ids);
    const torch::Tensor all = torch::tensor(std::vector<int64_t>(ids.begin(), ids.end())).unsqueeze(0);
    const int64_t count = all.size(1) - 1;
    if (count < 1) {
      fmt::print("0.000000\t0\t{}\n", line);
      continue;
    }
    const auto loss =
        opened.task->loss_of({.inputs = all.narrow(1, 0, count), .targets = all.narrow(1, 1, count)}, opened.pass);
    fmt::print("{:.6f}\t{}\t{}\n", -loss.sum.item<double>(), count, line);
  }
}

}  // namespace

Action add_score(CLI::App& command) {
  struct Options {
    std::string path, which = "best", weights = "trained", tokens;
    int64_t seq_len = 0;
  };
  const auto options = std::make_shared<Options>();
  command.description("log-probabilities of text, or of a file of tokens, under a language model");
  command.add_option("path", options->path, "a run directory or a checkpoint")->required()->type_name("RUN|CKPT");
  command.add_option("--checkpoint", options->which, "best, last or step-N of the run")->type_name("WHICH");
  add_weights_option(command, options->weights);
  command.add_option("--tokens", options->tokens, "a token file of nanoGPT or llm.c: total nats and token count")
      ->type_name("FILE");
  command.add_option("--seq-len", options->seq_len, "with --tokens: length of a window; default: the recipe's")
      ->check(CLI::PositiveNumber);
  command.allow_extras();
  examples(command,
           "  sst-train score runs/lm_small/8b2d77aa-s1 < lines.txt      # log-probability, tokens, text\n"
           "  sst-train score runs/gpt2/3fa9c1d2-s1 --tokens val.bin --seq-len 1024");
  return [options, &command](const CommonFlags& common) {
    const auto opened = run::open_language_model(options->path, options->which, options->weights,
                                                 {.overrides = command.remaining(), .builtin = builtin_lookup()});
    if (options->tokens.empty()) {
      score_lines(opened);
    } else {
      const auto seq_len = options->seq_len > 0 ? options->seq_len : opened.recipe.value<int64_t>("data.seq_len");
      score_tokens(opened, options->tokens, seq_len, common.json);
    }
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
