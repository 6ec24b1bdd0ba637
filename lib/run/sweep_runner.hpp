#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "recipe/sweep.hpp"

namespace sst::run {

struct SweepJob {
  recipe::SweepPoint point;
  std::filesystem::path run_dir;
  std::string label;  ///< "method.name=sst method.rank=2 seed=1"
};

/// The points of a sweep with their run directories.
std::vector<SweepJob> sweep_jobs(std::vector<recipe::SweepPoint> points);

struct SweepRunOptions {
  int64_t jobs = 1;  ///< processes at a time; they share the cores
  bool quiet = false;
  std::filesystem::path logs;  ///< folder for the output of each process
};

/// Trains every point in a process of its own, `jobs` at a time, and goes on after failures. Shows one line per finished
/// point and, on a terminal, how many are left and for how long. SIGTERM and SIGINT are passed on, and the processes
/// that are running save and end.
///   returns   the worst exit code, in the order of a launcher: a bug first, then failures, then "run me again"
ExitCode run_sweep(const std::vector<SweepJob>& jobs, const SweepRunOptions& options);

/// "finished", "running", "stopped", "failed", "diverged" or "-" where nothing has begun.
std::string state_of(const std::filesystem::path& run_dir);

}  // namespace sst::run
