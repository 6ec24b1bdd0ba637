#include <fmt/core.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/text.hpp"
#include "data/token_dataset.hpp"
#include "run/open_model.hpp"
#include "score_translations.hpp"
#include "text/parallel_text.hpp"
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

ExitCode score_text(const run::OpenedModel& opened, const std::string& tokens, int64_t seq_len, bool as_json) {
  if (tokens.empty()) {
    score_lines(opened);
  } else {
    score_tokens(opened, tokens, seq_len > 0 ? seq_len : opened.recipe.value<int64_t>("data.seq_len"), as_json);
  }
  return ExitCode::kDone;
}

/// Every pair of two files: the log-probability of its target, its tokens with the end, the target.
void score_pairs(run::OpenedTranslation& opened, const std::string& source, const std::string& target, bool as_json) {
  constexpr size_t kPairsAtATime = 4096;
  constexpr int64_t kBatchTokens = 2048;
  text::ParallelReader reader({.source = {source}, .target = {target}});
  auto json = nlohmann::ordered_json::array();
  double log_p = 0;
  int64_t tokens = 0;
  std::vector<text::SentencePair> pairs;
  const auto flush = [&] {
    const auto scores = opened.task->score(pairs, kBatchTokens, opened.pass);
    for (size_t i = 0; i < pairs.size(); ++i) {
      log_p += scores[i].log_p;
      tokens += scores[i].tokens;
      if (as_json)
        json.push_back({{"log_p", scores[i].log_p}, {"tokens", scores[i].tokens}});
      else
        fmt::print("{:.6f}\t{}\t{}\n", scores[i].log_p, scores[i].tokens, pairs[i].target);
    }
    pairs.clear();
  };
  for (text::SentencePair pair; reader.next(pair);) {
    pairs.push_back(pair);
    if (pairs.size() == kPairsAtATime) flush();
  }
  flush();
  if (as_json)
    fmt::print("{}\n",
               nlohmann::ordered_json({{"log_p", log_p}, {"tokens", tokens}, {"pairs", std::move(json)}}).dump(2));
}

struct ScoreOptions {
  std::string path, which = "best", weights = "trained", tokens, source, target;
  int64_t seq_len = 0;
  TranslationFiles files;
  TranslationScores scores;
  bool multi_bleu = false;
};

void add_translation_options(CLI::App& command, ScoreOptions& options) {
  TranslationScores& scores = options.scores;
  const std::string group = "Scores of translations (need no model)";
  command.add_option("--hyp", options.files.hypotheses, "translations, one a line; - is standard input")
      ->type_name("FILE")
      ->group(group);
  command.add_option("--ref", options.files.references, "references; several files, or the option several times")
      ->type_name("FILE")
      ->group(group);
  command.add_option("--metrics,--metric", scores.metrics, join(metrics::translation_metrics().names(), ", "))
      ->delimiter(',')
      ->type_name("LIST")
      ->capture_default_str()
      ->group(group);
  command.add_flag("--multi-bleu", options.multi_bleu, "also the figure of Moses' multi-bleu.perl")->group(group);
  command
      .add_option("--tokenize", scores.scoring.tokenize, "of BLEU: " + join(metrics::bleu_tokenizers().names(), ", "))
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  command.add_flag("--lowercase", scores.scoring.lowercase, "score lower-cased text")->group(group);
  command.add_option("--smooth", scores.scoring.smooth, "of BLEU: " + join(metrics::smoothings().names(), ", "))
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  command.add_option("--smooth-value", scores.scoring.smooth_value, "of floor (default 0.1) and add-k (default 1)")
      ->type_name("X")
      ->check(CLI::NonNegativeNumber)
      ->group(group);
  command.add_option("--bootstrap", scores.resampling.samples, "95 % intervals from N samples of the sentences")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber)
      ->group(group);
  command
      .add_option("--paired,--baseline", options.files.baseline,
                  "translations of another system, for the paired test (1000 samples)")
      ->type_name("FILE")
      ->group(group);
}

/// What the command line asks for, checked.
TranslationScores translation_scores(const CLI::App& command, const ScoreOptions& options) {
  if (!options.path.empty() || !options.tokens.empty())
    throw UserError("--hyp scores translations and needs no model, but " +
                        (options.path.empty() ? "--tokens" : "'" + options.path + "'") + " is given too",
                    "sst-train score --hyp FILE --ref FILE [FILE2 …]");
  if (!command.remaining().empty()) throw UserError("unexpected argument '" + command.remaining().front() + "'");
  if (options.files.references.empty())
    throw UserError("--hyp needs the references", "sst-train score --hyp FILE --ref FILE [FILE2 …]");
  TranslationScores scores = options.scores;
  if (scores.scoring.smooth_value && scores.scoring.smooth != "floor" && scores.scoring.smooth != "add-k")
    throw UserError("--smooth-value has no meaning for --smooth " + scores.scoring.smooth, "it is of floor and add-k");
  if (options.multi_bleu) scores.metrics.emplace_back("multi-bleu");
  if (!options.files.baseline.empty() && command.count("--bootstrap") == 0)
    scores.resampling.samples = metrics::Resampling{}.samples;
  return scores;
}

}  // namespace

Action add_score(CLI::App& command) {
  const auto options = std::make_shared<ScoreOptions>();
  command.description("BLEU and chrF of translations; log-probabilities of text or of pairs under a model");
  command.add_option("path", options->path, "a run directory or a checkpoint")->type_name("RUN|CKPT");
  command.add_option("--checkpoint", options->which, "best, last or step-N of the run")->type_name("WHICH");
  add_weights_option(command, options->weights);
  command.add_option("--tokens", options->tokens, "a token file of nanoGPT or llm.c: total nats and token count")
      ->type_name("FILE");
  command.add_option("--seq-len", options->seq_len, "with --tokens: length of a window; default: the recipe's")
      ->check(CLI::PositiveNumber);
  command.add_option("--src", options->source, "sentences that a translation model reads, one a line; with --tgt")
      ->type_name("FILE");
  command.add_option("--tgt", options->target, "their translations, to be scored by the model")->type_name("FILE");
  add_translation_options(command, *options);
  command.allow_extras();
  examples(command,
           "  sst-train score --hyp out.de --ref test.de                 # BLEU with sacreBLEU's signature\n"
           "  sst-train score --hyp out.de --ref test.de --metrics bleu,chrf++ --baseline old.de\n"
           "  sst-train score runs/lm_small/8b2d77aa-s1 < lines.txt      # log-probability, tokens, text\n"
           "  sst-train score runs/multi30k/3fa9c1d2-s1 --src test.de --tgt test.en   # of targets\n"
           "  sst-train score runs/gpt2/3fa9c1d2-s1 --tokens val.bin --seq-len 1024");
  return [options, &command](const CommonFlags& common) {
    if (!options->files.hypotheses.empty())
      return score_translations(options->files, translation_scores(command, *options), common);
    for (const char* flag : {"--ref", "--baseline", "--multi-bleu", "--metrics", "--bootstrap"})
      if (command.count(flag) > 0) throw UserError(std::string(flag) + " needs the translations: --hyp FILE");
    if (options->path.empty())
      throw UserError("score needs a run, a checkpoint, or --hyp FILE", "`sst-train score --help` shows what there is");
    if (options->source.empty() != options->target.empty())
      throw UserError(std::string(options->source.empty() ? "--tgt" : "--src") + " is given alone",
                      "a pair has two sides: --src FILE --tgt FILE");
    if (!options->source.empty()) {
      auto opened = run::open_translation_model(options->path, options->which, options->weights,
                                                {.overrides = command.remaining(), .builtin = builtin_lookup()},
                                                run::UseDevice::kOfRecipe);
      score_pairs(opened, options->source, options->target, common.json);
      return ExitCode::kDone;
    }
    const auto opened = run::open_language_model(options->path, options->which, options->weights,
                                                 {.overrides = command.remaining(), .builtin = builtin_lookup()});
    return score_text(opened, options->tokens, options->seq_len, common.json);
  };
}

}  // namespace sst::app
