#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include "core/error.hpp"

namespace sst::run {

/// Thrown out of an evaluation that a stop cuts short.
struct StopAsked : std::exception {};

/// Asks the run to end at its next step. Handlers only set flags, which loops poll; the former handlers come back with
/// the end of the object, of which there is one at a time.
///   SIGTERM, SIGUSR1 (Slurm's warning), SIGUSR2 (submitit), a time budget   exit code 75
///   SIGINT   130; a second one within 5 s leaves at once, without saving
///   SIGHUP   ignored without a terminal, so that a closed connection does not end the run
class StopSignals {
 public:
  /// `max_time_s`: budget from now on. Where Slurm tells when it will kill the job (SLURM_JOB_END_TIME), that is one too.
  explicit StopSignals(std::optional<int64_t> max_time_s = {});
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// What stopping takes, as measured: one step and one save. The budget ends that much earlier, so that the run is
  /// over within it; Slurm's end, after which nothing can be saved, three times that much.
  void set_stop_cost_s(double seconds) { stop_cost_s_ = seconds; }

  /// Whether max_time_s counts, as it does from the start. It should not between the start of an attempt that goes on
  /// from an evaluation and its first step: an evaluation longer than the budget would never come to its end.
  void set_heeds_budget(bool heeds) { heeds_budget_ = heeds; }

  bool stop_requested() const { return !reason().empty(); }
  /// kInterrupted after the keyboard's, kStopped after the others. The first signal decides.
  ExitCode exit_code() const;
  /// "SIGTERM", "the time budget of 3h50m", "the end of the batch job"; "" while there is no reason to stop.
  std::string reason() const;

 private:
  bool budget_is_spent() const;
  bool job_ends() const;

  std::optional<int64_t> max_time_s_;
  bool heeds_budget_ = true;
  std::optional<int64_t> job_end_s_;  ///< Unix time
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double stop_cost_s_ = 0;
};

}  // namespace sst::run
