#include "run/progress.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace sst::run {
namespace {

constexpr double kRedrawEverySeconds = 0.25;
constexpr double kEvaluationLineEverySeconds = 10;

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

LogFormat log_format(const std::string& flag, bool is_terminal) {
  const char* variable = std::getenv("SST_LOG_FORMAT");
  const bool from_variable = (flag.empty() || flag == "auto") && variable != nullptr && *variable != '\0';
  const std::string word = from_variable ? variable : flag;
  if (word.empty() || word == "auto") return is_terminal ? LogFormat::kBar : LogFormat::kPlain;
  if (word == "bar") return LogFormat::kBar;
  if (word == "plain") return LogFormat::kPlain;
  if (word == "json") return LogFormat::kJson;
  if (word == "none") return LogFormat::kNone;
  throw UserError((from_variable ? "SST_LOG_FORMAT is '" : "--log-format is '") + word + "'",
                  "it is one of auto, bar, plain, json, none");
}

void TimeLeft::step(double seconds) {
  constexpr double kSlowest = 0.02;  // a mean over about the last 50 steps, plain over the first 50
  ++steps_;
  mean_s_ += (seconds - mean_s_) * std::max(kSlowest, 1.0 / static_cast<double>(steps_));
}

std::optional<double> TimeLeft::seconds(int64_t steps_left) const {
  if (steps_ < 2) return {};
  return static_cast<double>(std::max<int64_t>(steps_left, 0)) * (mean_s_ + paused_s_ / static_cast<double>(steps_));
}

Progress::Progress(const Options& options, Screen screen, std::function<double()> now_s)
    : screen_(std::move(screen)),
      now_s_(now_s ? std::move(now_s) : steady_seconds),
      format_(log_format(options.format, screen_.is_terminal)),
      color_(use_color(options.color, screen_.is_terminal)),
      total_steps_(options.total_steps) {
  if (options.quiet) format_ = LogFormat::kNone;
  if (format_ != LogFormat::kBar) return;
  log::set_before_line([this] {
    const std::lock_guard lock(mutex_);
    clear();
  });
}

Progress::~Progress() { finish(); }

void Progress::finish() {
  {
    const std::lock_guard lock(mutex_);
    clear();
    has_status_ = false;
  }
  if (std::exchange(format_, LogFormat::kNone) == LogFormat::kBar) log::set_before_line({});
}

void Progress::advance(int64_t step) {
  const std::lock_guard lock(mutex_);
  const double now = now_s_();
  if (last_step_s_ && step > status_.step) left_.step((now - *last_step_s_) / static_cast<double>(step - status_.step));
  last_step_s_ = now;
  status_.step = step;
  if (!last_draw_s_ || now - *last_draw_s_ >= kRedrawEverySeconds) draw();
}

void Progress::train(const TrainStatus& status) {
  const std::lock_guard lock(mutex_);
  status_ = status;
  has_status_ = true;
  reported_since_evaluation_ = true;
  const std::string plain = plain_line(status, total_steps_, eta_s());
  log::write_to_file(plain);
  if (format_ == LogFormat::kPlain) line(utc_now() + " " + plain);
  if (format_ == LogFormat::kJson)
    screen_.write(metric_line(utc_now(/*milliseconds=*/true), "train", status.step, journal_fields(status)));
  if (!last_draw_s_ || now_s_() - *last_draw_s_ >= kRedrawEverySeconds) draw();
}

void Progress::evaluated(const Evaluation& evaluation) {
  const std::lock_guard lock(mutex_);
  const double now = now_s_();
  left_.pause(evaluation.seconds);
  last_step_s_ = now;
  const bool is_routine = evaluation.split == "valid";
  if (!is_routine || std::exchange(reported_since_evaluation_, false)) {
    const std::string plain = plain_line(evaluation);
    log::write_to_file(plain);
    if (format_ == LogFormat::kPlain) line(utc_now() + " " + plain);
  }
  if (format_ == LogFormat::kJson)
    screen_.write(metric_line(utc_now(true), "eval", evaluation.step, journal_fields(evaluation)));
  if (format_ != LogFormat::kBar) return;
  if (is_routine && last_evaluation_s_ && now - *last_evaluation_s_ < kEvaluationLineEverySeconds) return;
  last_evaluation_s_ = now;
  clear();
  line(terminal_line(evaluation, columns(), color_));
  draw();
}

void Progress::saved(double seconds) {
  const std::lock_guard lock(mutex_);
  left_.pause(seconds);
  last_step_s_ = now_s_();
}

void Progress::draw() {
  if (format_ != LogFormat::kBar || !has_status_) return;
  last_draw_s_ = now_s_();
  const std::string text = bar_line(status_, total_steps_, eta_s(), columns(), color_);
  screen_.write("\r" + text + "\x1b[K");
  is_drawn_ = true;
}

void Progress::clear() {
  if (!std::exchange(is_drawn_, false)) return;
  screen_.write("\r\x1b[K");
}

void Progress::line(const std::string& text) { screen_.write(text + "\n"); }

std::optional<double> Progress::eta_s() const {
  if (total_steps_ <= 0) return {};
  return left_.seconds(total_steps_ - status_.step);
}

size_t Progress::columns() const {
  // A line that fills the last column wraps on some terminals.
  return static_cast<size_t>(std::max(screen_.columns(), 21) - 1);
}

}  // namespace sst::run
