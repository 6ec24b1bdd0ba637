#include "run/sweep_runner.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <thread>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/terminal.hpp"
#include "core/text.hpp"
#include "report/metric_words.hpp"
#include "report/run_record.hpp"
#include "report/table.hpp"
#include "run/stop_signals.hpp"
#include "run/train.hpp"

namespace sst::run {
namespace {

struct Child {
  size_t job = 0;
  Stopwatch watch;
};

/// Worst first (cli_and_recipes.md, section 3); a process killed by a signal counts as a distributed failure would.
ExitCode worse(ExitCode a, ExitCode b) {
  static const std::vector<int> order = {1, 7, 6, 5, 4, 3, 2, 130, 75, 10, 0};
  const auto rank = [](ExitCode code) { return std::find(order.begin(), order.end(), static_cast<int>(code)); };
  return rank(a) <= rank(b) ? a : b;
}

ExitCode exit_code_of(int status) {
  return WIFEXITED(status) ? static_cast<ExitCode>(WEXITSTATUS(status)) : ExitCode::kDistributed;
}

/// How a run ended that did not end well.
std::string end_of(int status) {
  if (!WIFSIGNALED(status)) return fmt::format("exit code {}", WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  return fmt::format("killed by {}{}; the same sweep goes on with it", ::sigabbrev_np(signal),
                     signal == SIGKILL ? ", as the system does when memory is spent" : "");
}

std::vector<std::string> command_of(const SweepJob& job, const SweepRunOptions& options) {
  std::vector<std::string> command = {std::filesystem::read_symlink("/proc/self/exe").string(), "train",
                                      job.point.file};
  for (const std::string& override : job.point.overrides) command.push_back(override);
  const int64_t cores = std::max<int64_t>(1, std::thread::hardware_concurrency());
  if (options.jobs > 1)
    command.push_back("runtime.threads=" + std::to_string(std::max<int64_t>(1, cores / options.jobs)));
  for (const char* flag : {"--log-format", "plain"}) command.push_back(flag);
  return command;
}

std::filesystem::path log_of(const SweepRunOptions& options, size_t job) {
  return options.logs / fmt::format("point-{:03d}.txt", job);
}

pid_t start(const SweepJob& job, size_t index, const SweepRunOptions& options) {
  const std::vector<std::string> command = command_of(job, options);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const std::string log = log_of(options, index).string();
  const pid_t pid = ::fork();
  if (pid < 0) throw ResourceError("cannot start another process", "use fewer --jobs");
  if (pid > 0) return pid;
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (output >= 0) {
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
  }
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

std::string last_lines(const std::filesystem::path& file, size_t count) {
  std::ifstream stream(file);
  std::deque<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back("   | " + line);
    if (lines.size() > count) lines.pop_front();
  }
  return join({lines.begin(), lines.end()}, "\n");
}

/// "test/f1 0.8120" of a finished run.
std::string result_text(const SweepJob& job) {
  const report::RunRecord record = report::read_run(job.run_dir);
  const std::string metric = report::metric_of(record, report::TableSpec());
  const auto found = record.results.find(metric);
  return found == record.results.end() ? record.state
                                       : metric + " " + report::console_value(metric, found->second, false);
}

class Runner {
 public:
  Runner(const std::vector<SweepJob>& jobs, const SweepRunOptions& options)
      : jobs_(jobs), options_(options), screen_(stderr_screen()) {}

  ExitCode run() {
    std::filesystem::create_directories(options_.logs);
    StopSignals signals;
    while (next_ < jobs_.size() || !children_.empty()) {
      while (!stopping_ && next_ < jobs_.size() && children_.size() < static_cast<size_t>(options_.jobs)) start_next();
      if (children_.empty()) break;
      reap();
      if (!stopping_ && signals.stop_requested()) stop_children(signals);
      draw();
    }
    clear();
    if (stopping_) worst_ = worse(worst_, stop_code_);
    return worst_;
  }

 private:
  void start_next() {
    children_[start(jobs_[next_], next_, options_)] = {.job = next_, .watch = {}};
    ++next_;
  }

  void reap() {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      return;
    }
    const auto child = children_.find(pid);
    if (child == children_.end()) return;
    const size_t index = child->second.job;
    const double seconds = child->second.watch.seconds();
    children_.erase(child);
    ++done_;
    seconds_ += seconds;
    const ExitCode code = exit_code_of(status);
    worst_ = worse(worst_, code);
    clear();
    log::info("[{}/{}] {}  {}  {}", done_, jobs_.size(), jobs_[index].label, result_text(jobs_[index]),
              human_duration(seconds));
    if (code != ExitCode::kDone && code != ExitCode::kStopped && code != ExitCode::kInterrupted)
      log::warning("{}; the last lines of {}:\n{}", end_of(status), log_of(options_, index).string(),
                   last_lines(log_of(options_, index), 6));
  }

  void stop_children(const StopSignals& signals) {
    stopping_ = true;
    stop_code_ = signals.exit_code();
    log::info("stopping: {} running points save and end", children_.size());
    for (const auto& [pid, child] : children_) ::kill(pid, SIGTERM);
  }

  void draw() {
    if (!screen_.is_terminal || options_.quiet || last_draw_.seconds() < 0.5) return;
    last_draw_.restart();
    std::string line = fmt::format("sweep {}/{} done, {} running", done_, jobs_.size(), children_.size());
    if (done_ > 0) {
      const double left = seconds_ / static_cast<double>(done_) * static_cast<double>(jobs_.size() - done_) /
                          static_cast<double>(options_.jobs);
      line += ", about " + human_duration(left) + " left";
    }
    screen_.write("\r" + pad_right(fit_width(line, static_cast<size_t>(screen_.columns() - 1)),
                                   static_cast<size_t>(screen_.columns() - 1)));
    drawn_ = true;
  }

  void clear() {
    if (drawn_) screen_.write("\r" + std::string(static_cast<size_t>(screen_.columns() - 1), ' ') + "\r");
    drawn_ = false;
  }

  const std::vector<SweepJob>& jobs_;
  const SweepRunOptions& options_;
  Screen screen_;
  std::map<pid_t, Child> children_;
  size_t next_ = 0, done_ = 0;
  double seconds_ = 0;
  bool stopping_ = false, drawn_ = false;
  ExitCode worst_ = ExitCode::kDone, stop_code_ = ExitCode::kStopped;
  Stopwatch last_draw_;
};

}  // namespace

std::vector<SweepJob> sweep_jobs(std::vector<recipe::SweepPoint> points) {
  std::vector<SweepJob> jobs;
  for (auto& point : points) {
    SweepJob job{.point = std::move(point), .run_dir = {}, .label = {}};
    job.run_dir = run_directory(job.point.recipe, std::nullopt);
    std::vector<std::string> words;
    for (const auto& [key, value] : job.point.differing)
      if (!value.empty()) words.push_back(key + "=" + value);
    job.label = words.empty() ? job.run_dir.filename().string() : join(words, " ");
    jobs.push_back(std::move(job));
  }
  return jobs;
}

ExitCode run_sweep(const std::vector<SweepJob>& jobs, const SweepRunOptions& options) {
  return Runner(jobs, options).run();
}

std::string state_of(const std::filesystem::path& run_dir) {
  const std::string state = report::read_run(run_dir).state;
  return state == "missing" ? "-" : state;
}

}  // namespace sst::run
