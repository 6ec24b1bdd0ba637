#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/clock.hpp"
#include "core/terminal.hpp"
#include "core/text.hpp"
#include "run/open_model.hpp"
#include "text/line_reader.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

constexpr size_t kLinesAtATime = 1024;

struct TranslateOptions {
  std::string path, which = "best", weights = "trained";
  std::vector<std::string> inputs;
  std::string output;
  std::optional<int64_t> beam, min_length, max_length, no_repeat_ngram;
  std::optional<double> length_penalty;
  int64_t n_best = 1, batch_tokens = 4096;
  bool replace_unk = false, raw = false;
  std::vector<std::string> overrides;
};

/// The recipe's way of decoding, as far as the command line says nothing else.
models::BeamOptions beam_options(const TranslateOptions& options, models::BeamOptions beam) {
  if (options.beam) beam.beam_size = *options.beam;
  if (options.length_penalty) beam.length_penalty = *options.length_penalty;
  if (options.min_length) beam.min_length = *options.min_length;
  if (options.no_repeat_ngram) beam.no_repeat_ngram = *options.no_repeat_ngram;
  if (options.max_length) {
    beam.max_len_a = 0;
    beam.max_len_b = *options.max_length;
  }
  beam.replace_unk = beam.replace_unk || options.replace_unk;
  beam.n_best = options.n_best;
  return beam;
}

/// Lines from files in turn, or from standard input as they arrive: a pipe that pauses gets its answers meanwhile.
class PendingSentences {
 public:
  explicit PendingSentences(const std::vector<std::string>& files)
      : is_input_(files.empty()), next_of_files_(text::lines_of({files.begin(), files.end()})) {
    std::ios::sync_with_stdio(false);  // so that in_avail() knows what has been read ahead
  }

  std::vector<std::string> next_block() {
    std::vector<std::string> lines;
    std::string line;
    while (lines.size() < kLinesAtATime && (lines.empty() || !is_input_ || is_ready()) && next(line))
      lines.push_back(line);
    return lines;
  }

 private:
  static bool is_ready() {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    return std::cin.rdbuf()->in_avail() > 0 || poll(&input, 1, /*timeout=*/0) > 0;
  }

  bool next(std::string& line) {
    if (!is_input_) return next_of_files_(line);
    if (!std::getline(std::cin, line)) return false;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return true;
  }

  bool is_input_;
  text::NextLine next_of_files_;
};

class Results {
 public:
  Results(const TranslateOptions& options, bool json) : options_(options), json_(json) {
    if (options.output.empty()) return;
    file_.open(options.output);
    if (!file_) throw ResourceError("cannot write '" + options.output + "'", "name a file in a folder that is there");
  }

  void add(const std::vector<std::vector<tasks::TranslatedText>>& block) {
    std::string text;
    for (const auto& best : block) {
      auto list = nlohmann::ordered_json::array();
      for (const auto& one : best) {
        const std::string& shown = options_.raw ? one.pieces : one.text;
        if (json_)
          list.push_back({{"text", shown}, {"score", one.score}});
        else if (options_.n_best > 1)
          text += fmt::format("{}\t{:.4f}\t{}\n", lines_, one.score, shown);
        else
          text += shown + "\n";
      }
      if (json_) all_.push_back({{"line", lines_}, {"translations", list}});
      ++lines_;
    }
    write(text);
  }

  void finish() {
    if (json_) write(all_.dump(2) + "\n");
    if (file_.is_open()) file_.close();
    if (!options_.output.empty() && !file_)
      throw ResourceError("cannot write '" + options_.output + "'", "is the disk full?");
  }

  int64_t lines() const { return lines_; }

 private:
  void write(const std::string& text) {
    if (file_.is_open()) {
      file_ << text << std::flush;
    } else {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    }
  }

  const TranslateOptions& options_;
  bool json_;
  std::ofstream file_;
  nlohmann::ordered_json all_ = nlohmann::ordered_json::array();
  int64_t lines_ = 0;
};

/// Keeps the lines before the first one that cannot be translated, so that they still are, and says what is wrong with
/// that one; `before` is how many came earlier.
std::optional<DataError> cut_before_refused(std::vector<std::string>& lines, int64_t before,
                                            const tasks::Translation& task) {
  for (size_t i = 0; i < lines.size(); ++i) try {
      task.require_translatable(lines[i]);
    } catch (const DataError& error) {
      lines.resize(i);
      return DataError(fmt::format("line {} of the input: {}", before + static_cast<int64_t>(i) + 1, error.what()),
                       error.hint());
    }
  return std::nullopt;
}

void translate_all(const TranslateOptions& options, run::OpenedTranslation& opened, const CommonFlags& common) {
  const auto beam = beam_options(options, opened.task->recipe().decode);
  PendingSentences sentences(options.inputs);
  Results results(options, common.json);
  const bool shows =
      stderr_screen().is_terminal && !common.quiet && (!options.output.empty() || !isatty(STDOUT_FILENO));
  const Stopwatch watch;
  for (auto lines = sentences.next_block(); !lines.empty(); lines = sentences.next_block()) {
    const auto refused = cut_before_refused(lines, results.lines(), *opened.task);
    results.add(opened.task->translate(lines, beam, options.batch_tokens, opened.pass));
    if (refused) throw DataError(*refused);
    if (shows)
      fmt::print(stderr, "\r{} lines, {:.1f} lines/s\x1b[K", with_thousands(results.lines()),
                 static_cast<double>(results.lines()) / watch.seconds());
  }
  results.finish();
  if (shows) fmt::print(stderr, "\n");
}

}  // namespace

Action add_translate(CLI::App& command) {
  const auto options = std::make_shared<TranslateOptions>();
  command.description("translates text, one sentence a line, with a trained translation model");
  command.add_option("path", options->path, "a run directory or a checkpoint")->required()->type_name("RUN|CKPT");
  command.add_option("--checkpoint", options->which, "best, last or step-N of the run")->type_name("WHICH");
  add_weights_option(command, options->weights);
  command.add_option("--input", options->inputs, "sentences, one a line, plain or compressed; default: standard input")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command.add_option("--output", options->output, "default: standard output")->type_name("FILE");
  command.add_option("--beam", options->beam, "hypotheses that are followed; 1: greedy")->check(CLI::Range(1, 1024));
  command.add_option("--length-penalty", options->length_penalty, "exponent of the length norm")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--nbest", options->n_best, "translations of each line: line number, score, text, tabs between")
      ->check(CLI::Range(1, 1024));
  command.add_option("--min-length", options->min_length, "fewest tokens of a translation")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--max-length", options->max_length, "most tokens of a translation")->check(CLI::PositiveNumber);
  command.add_option("--no-repeat-ngram", options->no_repeat_ngram, "no n-gram of so many tokens comes twice")
      ->check(CLI::NonNegativeNumber);
  command.add_flag("--replace-unk", options->replace_unk, "unknown words become the source word looked at most");
  command.add_flag("--raw", options->raw, "subwords as they come, blanks between");
  command.add_option("--batch-tokens", options->batch_tokens, "padded source tokens that are translated at a time")
      ->check(CLI::PositiveNumber);
  command.allow_extras();
  examples(command,
           "  sst-train translate runs/multi30k_small_euclidean/3fa9c1d2-s1 < test.de > test.hyp.en\n"
           "  sst-train translate runs/multi30k_small_euclidean/3fa9c1d2-s1 --input test.de --beam 4 --nbest 4");
  return [options, &command](const CommonFlags& common) {
    auto opened = run::open_translation_model(options->path, options->which, options->weights,
                                              {.overrides = command.remaining(), .builtin = builtin_lookup()},
                                              run::UseDevice::kOfRecipe);
    translate_all(*options, opened, common);
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
