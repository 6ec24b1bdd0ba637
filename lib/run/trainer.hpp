#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "checkpoint/background_writer.hpp"
#include "checkpoint/store.hpp"
#include "core/clock.hpp"
#include "run/assembly.hpp"
#include "run/best_tracker.hpp"
#include "run/journal.hpp"
#include "run/progress.hpp"
#include "run/snapshot.hpp"
#include "run/training_step.hpp"

namespace sst::run {

/// The training loop: the algorithm box of the papers, with evaluation, saving and stopping between its steps.
class Trainer {
 public:
  struct Parts {
    Assembly& assembly;
    const recipe::Recipe& recipe;
    std::filesystem::path run_dir;
    checkpoint::Store& store;
    Journal& journal;
    Progress& progress;
    BestTracker& best;
    std::function<bool()> stop_requested;  ///< asked after every step and every batch of an evaluation
    std::function<bool()> save_requested;  ///< asked after every step
    /// After every step the seconds that stopping would take: a step and a save, as measured.
    std::function<void(double stop_cost_s)> each_step;
  };
  enum class End { kFinished, kStopped };

  Trainer(const Parts& parts, TrainState state)
      : parts_(parts), state_(std::move(state)), writer_(parts.assembly.checkpoint.async) {}

  /// Steps until training ends or somebody asks it to stop; either way everything is saved and on disk.
  ///   throws    DivergedError with the step and the first bad tensor; nothing of that step is saved;
  ///             what saving threw, at the latest after one more step
  End run();

  const TrainState& state() const { return state_; }
  /// What run() was at when it threw: "in step 12".
  const std::string& doing() const { return doing_; }

 private:
  /// False when it went back to a checkpoint instead.
  bool take_step();
  void move();
  std::string find_spike() const;
  bool may_leave_out(bool is_spike);
  bool may_roll_back() const;
  void roll_back(const std::string& problem);
  void report_training();
  void report_layers();
  bool goes_on_after_step();
  void evaluate();
  void record(Evaluation evaluation);
  bool is_save_due() const;
  void check_sync();
  std::optional<checkpoint::Contents> captured() const;
  bool leads() const { return parts_.assembly.group->is_leader(); }
  enum class Save { kPeriodic, kAskedFor, kLast };
  void save(Save kind);
  void finish_saving();
  bool is_due(const recipe::Interval& interval, double seconds_since, int64_t step) const;
  bool training_is_over() const;
  double epoch() const;

  Parts parts_;
  TrainState state_;
  std::optional<checkpoint::Contents> best_;  ///< best weights since the last save, not yet on disk
  std::optional<int64_t> saved_step_;
  double capture_s_ = 0;  ///< the last copy of everything
  std::string doing_;
  StepResult last_;
  std::map<std::string, torch::Tensor> weights_before_;  ///< of a step whose layers are measured
  checkpoint::BackgroundWriter writer_;                  ///< of checkpoints: touch the store only when it is idle
  Stopwatch since_report_, since_layers_, since_weights_, since_save_, since_evaluation_, since_sync_;
  int64_t reported_step_ = 0;
  double items_since_report_ = 0;  ///< target tokens, nodes, …
};

}  // namespace sst::run
