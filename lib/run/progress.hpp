#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "core/terminal.hpp"
#include "run/progress_line.hpp"

namespace sst::run {

enum class LogFormat { kBar, kPlain, kJson, kNone };

/// What `--log-format` (empty: not given) and SST_LOG_FORMAT ask for; auto is the bar on a terminal and plain
/// lines elsewhere. Throws UserError naming the source of an unknown word.
LogFormat log_format(const std::string& flag, bool is_terminal);

/// How long the rest takes: an exponential mean of the time per step, plus what evaluating and saving have
/// cost per step so far.
class TimeLeft {
 public:
  void step(double seconds);
  void pause(double seconds) { paused_s_ += seconds; }
  /// Nothing before the second step: the first one warms up.
  std::optional<double> seconds(int64_t steps_left) const;

 private:
  double mean_s_ = 0;
  double paused_s_ = 0;
  int64_t steps_ = 0;
};

/// Shows a run while it trains. On a terminal it owns the last line of stderr, redrawn at most four times a
/// second, and lines of sst::log appear above it; elsewhere one line per report. log.txt gets the plain lines
/// in every format.
///
///     Progress progress({.format = flag, .total_steps = 5000});
///     progress.advance(step);                    // every step: cheap
///     progress.train(status);                    // every `logging.every`
///     progress.evaluated(evaluation);
///     progress.saved(seconds);
///
/// Evaluations that follow one another quickly (a graph evaluates after each epoch) are not all worth a line:
/// a terminal shows one when ten seconds have passed since the last, plain output the first after each train
/// line, and both every evaluation that is no "valid" one. metrics.jsonl has them all.
class Progress {
 public:
  struct Options {
    std::string format = {};     ///< --log-format; empty: not given
    std::string color = "auto";  ///< --color
    bool quiet = false;          ///< nothing on stderr; log.txt is written all the same
    int64_t total_steps = 0;     ///< 0: unknown, then no bar and no ETA
  };

  /// `now_s` is a clock in seconds. Throws UserError on an unknown format or colour word.
  explicit Progress(const Options& options, Screen screen = stderr_screen(), std::function<double()> now_s = {});
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(int64_t step);
  void train(const TrainStatus& status);
  void evaluated(const Evaluation& evaluation);
  void saved(double seconds);
  /// Clears the terminal's last line; what follows is printed as usual. Called by the destructor too.
  void finish();

 private:
  void draw();
  void clear();
  void line(const std::string& text);
  std::optional<double> eta_s() const;
  size_t columns() const;

  Screen screen_;
  std::function<double()> now_s_;
  LogFormat format_;
  bool color_;
  int64_t total_steps_;
  std::mutex mutex_;  ///< log lines may come from a saving thread

  TrainStatus status_;
  bool has_status_ = false;
  bool is_drawn_ = false;
  bool reported_since_evaluation_ = true;
  std::optional<double> last_draw_s_, last_step_s_, last_evaluation_s_;
  TimeLeft left_;
};

}  // namespace sst::run
