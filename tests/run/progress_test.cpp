#include "run/progress.hpp"

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "core/error.hpp"
#include "core/log.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace sst::run;

namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

TrainStatus translation_status() {
  TrainStatus status;
  status.step = 12300;
  status.epoch = 9.21;
  status.loss_nats = 4.213;
  status.ppl_token = 67.56;
  status.lr = 5.64e-3;
  status.grad_norm = 0.831;
  status.tokens_per_s = 182034;
  status.mfu = 0.381;
  status.data_wait = 0.004;
  status.memory_bytes = 9.1 * kGiB;
  status.device_memory_bytes = 24 * kGiB;
  return status;
}

TrainStatus graph_status(int64_t step) {
  TrainStatus status;
  status.step = step;
  status.epoch = static_cast<double>(step);
  status.loss_nats = 0.5;
  status.epochs_per_s = 41.27;
  return status;
}

Evaluation f1_at(int64_t step, double f1, double best, int64_t best_step) {
  return {.step = step,
          .metrics = {{"f1", f1}, {"loss", 0.61}},
          .best_metric = "valid/f1",
          .best = best,
          .best_step = best_step,
          .seconds = 0.1};
}

/// A terminal (or not) of the test's own, and a clock it moves.
struct Stage {
  std::string text;
  double now_s = 0;
  int columns = 200;

  sst::Screen screen(bool is_terminal) {
    return {.write = [this](std::string_view piece) { text += piece; },
            .columns = [this] { return columns; },
            .is_terminal = is_terminal};
  }
  std::function<double()> clock() {
    return [this] { return now_s; };
  }
  size_t count(const std::string& part) const {
    size_t times = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
    return times;
  }
};

}  // namespace

TEST_CASE("the bar line is the documented one", "[run]") {
  CHECK(bar_line(translation_status(), 40000, 72 * 60, 200, false) ==
        "train 12,300/40,000 ██████▌              31%  loss 4.213  ppl 67.6  lr 5.6e-03  |g| 0.83  182k tok/s  "
        "mfu 38%  mem 9.1/24.0 GiB  eta 1h12m");
}

TEST_CASE("the plain line is the documented one", "[run]") {
  CHECK(plain_line(translation_status(), 40000, 72 * 60) ==
        "train step=12300/40000 epoch=9.21 loss=4.2130 ppl=67.56 lr=5.640e-03 grad_norm=0.831 tok/s=182034 mfu=0.381 "
        "mem_gib=9.1 data_wait=0.4% eta=1h12m");
}

TEST_CASE("the validation line is the documented one", "[run]") {
  const Evaluation bleu = {.step = 12000,
                           .metrics = {{"bleu", 21.37}, {"loss", 4.105}, {"ppl_token", 60.6}},
                           .best_metric = "valid/bleu",
                           .best = 21.37,
                           .best_step = 12000,
                           .seconds = 18.4};
  CHECK(terminal_line(bleu, 200, false) ==
        "valid 12,000  loss 4.105  ppl_token 60.6  bleu 21.37  best 21.37 (new)  18.4 s");
  CHECK(plain_line(bleu) ==
        "valid step=12000 loss=4.1050 ppl_token=60.60 bleu=21.37 best=21.37 best_step=12000 seconds=18.4");
  CHECK(terminal_line(f1_at(900, 0.8055, 0.812, 850), 200, false) ==
        "valid 900  loss 0.610  f1 0.8055  best 0.8120 at 850  0.1 s");
}

TEST_CASE("a score that compares with its like only is never written without its signature", "[run]") {
  const Evaluation bleu = {.step = 12000,
                           .metrics = {{"bleu", 21.37}, {"loss", 4.105}},
                           .examples = 512,
                           .signatures = {{"bleu", "nrefs:1|tok:13a"}, {"chrf", "nrefs:1|nc:6"}}};
  CHECK_THAT(plain_line(bleu), ContainsSubstring("bleu=21.37 bleu_signature=nrefs:1|tok:13a"));
  const auto line = nlohmann::json::parse(metric_line("", "eval", 12000, journal_fields(bleu)));
  CHECK(line.at("valid/bleu_signature") == "nrefs:1|tok:13a");
  CHECK(line.at("valid/examples") == 512);
  CHECK_FALSE(line.contains("valid/chrf_signature"));  // not computed
}

TEST_CASE("a graph task shows epochs per second and no tokens", "[run]") {
  CHECK(bar_line(graph_status(500), 5000, 109, 120, false) ==
        "train 500/5,000 ██▏                  10%  loss 0.500  41.3 epochs/s  eta 1m49s");
  CHECK(plain_line(graph_status(500), 5000, 109) ==
        "train step=500/5000 epoch=500.00 loss=0.5000 epochs/s=41.3 eta=1m49s");
}

TEST_CASE("an unknown end shows neither bar nor ETA", "[run]") {
  CHECK(bar_line(graph_status(500), 0, {}, 120, false) == "train 500  loss 0.500  41.3 epochs/s");
}

TEST_CASE("a narrow terminal shrinks the bar, then drops what matters least, and never wraps", "[run]") {
  for (size_t columns = 1; columns < 150; ++columns)
    CHECK(sst::display_width(bar_line(translation_status(), 40000, 72 * 60, columns, false)) <= columns);
  const std::string narrow = bar_line(translation_status(), 40000, 72 * 60, 60, false);
  CHECK_THAT(narrow, ContainsSubstring("loss 4.213"));
  CHECK_THAT(narrow, ContainsSubstring("eta 1h12m"));
  CHECK_THAT(narrow, !ContainsSubstring("mem"));
}

TEST_CASE("colour changes no visible character", "[run]") {
  const std::string colored = bar_line(translation_status(), 40000, 72 * 60, 100, true);
  CHECK_THAT(colored, ContainsSubstring("\x1b["));
  CHECK(std::regex_replace(colored, std::regex("\x1b\\[[0-9]*m"), "") ==
        bar_line(translation_status(), 40000, 72 * 60, 100, false));
}

TEST_CASE("the bar fills by eighths of a cell", "[run]") {
  CHECK(bar(0, 4) == "    ");
  CHECK(bar(0.5, 4) == "██  ");
  CHECK(bar(1.0 / 32, 4) == "▏   ");
  CHECK(bar(1, 4) == "████");
  CHECK(bar(7, 4) == "████");
  CHECK(bar(std::nan(""), 4) == "    ");
}

TEST_CASE("the time left counts evaluating and saving too", "[run]") {
  TimeLeft left;
  CHECK_FALSE(left.seconds(100));
  for (int i = 0; i < 10; ++i) left.step(0.5);
  CHECK(*left.seconds(100) == Approx(50));
  left.pause(5);  // half a second for each of the ten steps
  CHECK(*left.seconds(100) == Approx(100));
  CHECK(*left.seconds(-3) == 0);
}

TEST_CASE("a terminal is redrawn at most four times a second", "[run]") {
  Stage stage;
  Progress progress({.format = "bar", .color = "never", .total_steps = 1000}, stage.screen(true), stage.clock());
  progress.train(graph_status(1));
  for (int step = 2; step <= 100; ++step) {
    stage.now_s = step * 0.02;  // 50 steps a second, 2 seconds
    progress.advance(step);
  }
  CHECK(stage.count("\rtrain ") <= 9);
  CHECK(stage.count("\rtrain ") >= 7);
  CHECK_THAT(stage.text, ContainsSubstring("eta 18s"));  // 900 steps at 0.02 s
}

TEST_CASE("a log line clears the bar first", "[run]") {
  Stage stage;
  Progress progress({.format = "bar", .total_steps = 1000}, stage.screen(true), stage.clock());
  progress.train(graph_status(1));
  CHECK_THAT(stage.text, !ContainsSubstring("\r\x1b[K"));
  sst::log::info("a line of the log");
  CHECK(stage.text.substr(stage.text.size() - 4) == "\r\x1b[K");
  progress.finish();
  const std::string before = stage.text;
  sst::log::info("a line after the end");
  CHECK(stage.text == before);
}

TEST_CASE("elsewhere than on a terminal each report is one line with its time", "[run]") {
  ::unsetenv("SST_LOG_FORMAT");
  Stage stage;
  Progress progress({.total_steps = 1000}, stage.screen(false), stage.clock());
  progress.advance(50);
  progress.train(graph_status(50));
  progress.evaluated(f1_at(50, 0.8, 0.8, 50));
  CHECK(std::regex_match(stage.text,
                         std::regex("....-..-..T..:..:..Z train step=50/1000 epoch=50.00 loss=0.5000 epochs/s=41.3\n"
                                    "....-..-..T..:..:..Z valid step=50 loss=0.6100 f1=0.8000 best=0.8000 "
                                    "best_step=50 seconds=0.1\n")));
}

TEST_CASE("of evaluations after every epoch only those beside a train line are printed, tests always", "[run]") {
  Stage stage;
  Progress progress({.format = "plain"}, stage.screen(false), stage.clock());
  for (int step = 1; step <= 10; ++step) {
    if (step % 5 == 0) progress.train(graph_status(step));
    progress.evaluated(f1_at(step, 0.8, 0.8, 1));
  }
  CHECK(stage.count(" valid step=") == 3);  // steps 1, 5 and 10
  progress.evaluated({.step = 10, .split = "test", .metrics = {{"f1", 0.79}}});
  CHECK(stage.count(" test step=10 f1=0.7900") == 1);
}

TEST_CASE("a terminal keeps a validation line once in ten seconds", "[run]") {
  Stage stage;
  Progress progress({.format = "bar", .total_steps = 1000}, stage.screen(true), stage.clock());
  for (int step = 1; step <= 20; ++step) {
    stage.now_s = step;
    progress.evaluated(f1_at(step, 0.8, 0.8, 1));
  }
  CHECK(stage.count("valid ") == 2);  // at 1 s and 11 s
}

TEST_CASE("json lines carry the names of metrics.jsonl", "[run]") {
  Stage stage;
  Progress progress({.format = "json"}, stage.screen(true), stage.clock());
  progress.train(translation_status());
  const auto line = nlohmann::json::parse(stage.text);
  CHECK(line["kind"] == "train");
  CHECK(line["step"] == 12300);
  CHECK(line["train/loss"] == 4.213);
  CHECK(line["perf/tokens_per_s"] == 182034);
  CHECK(line["mem/peak_gib"] == Approx(9.1));
}

TEST_CASE("quiet and none print nothing, and log.txt has the plain lines all the same", "[run]") {
  const sst::testing::TemporaryFolder folder;
  sst::log::open_file(folder / "log.txt");
  Stage stage;
  Progress({.format = "bar", .quiet = true}, stage.screen(true), stage.clock()).train(graph_status(5));
  Progress({.format = "none"}, stage.screen(true), stage.clock()).train(graph_status(6));
  sst::log::close_file();
  CHECK(stage.text.empty());
  std::stringstream log;
  log << std::ifstream(folder / "log.txt").rdbuf();
  CHECK(std::regex_search(log.str(), std::regex("^....-..-..T..:..:..Z train step=5 epoch=5.00 loss=0.5000")));
  CHECK_THAT(log.str(), ContainsSubstring("train step=6 "));
}

TEST_CASE("the format comes from the flag, then from SST_LOG_FORMAT, then from the terminal", "[run]") {
  ::unsetenv("SST_LOG_FORMAT");
  CHECK(log_format("", true) == LogFormat::kBar);
  CHECK(log_format("auto", false) == LogFormat::kPlain);
  ::setenv("SST_LOG_FORMAT", "json", 1);
  CHECK(log_format("auto", true) == LogFormat::kJson);
  CHECK(log_format("none", true) == LogFormat::kNone);
  ::setenv("SST_LOG_FORMAT", "pretty", 1);
  CHECK_THROWS_WITH(log_format("", true), "SST_LOG_FORMAT is 'pretty'");
  ::unsetenv("SST_LOG_FORMAT");
  CHECK_THROWS_WITH(log_format("loud", true), "--log-format is 'loud'");
}
