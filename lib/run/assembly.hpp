#pragma once

#include <memory>
#include <vector>

#include "dist/group.hpp"
#include "methods/method.hpp"
#include "optim/optimizer.hpp"
#include "optim/options.hpp"
#include "optim/plateau.hpp"
#include "optim/schedule.hpp"
#include "recipe/recipe.hpp"
#include "run/averages.hpp"
#include "run/gradient_exchange.hpp"
#include "run/matched_rates.hpp"
#include "run/options.hpp"
#include "run/precision.hpp"
#include "run/step_graph.hpp"
#include "tasks/task.hpp"

namespace sst::run {

/// Everything a recipe means, made: data and model (task), method, optimizer, schedule.
struct Assembly {
  RunOptions run;
  TrainOptions train;
  EvalOptions eval;
  CheckpointOptions checkpoint;
  LoggingOptions logging;
  RuntimeOptions runtime;
  DistributedOptions distributed;
  optim::OptimOptions optim;
  Precision precision;
  torch::Device device = torch::kCPU;
  std::shared_ptr<const dist::Group> group = dist::Group::alone();  ///< the processes that train this model together
  tasks::Workload workload;
  double data_bytes = 0;    ///< tensors the task holds beside the model: what it trains on, fixed tables
  int64_t total_steps = 0;  ///< where training ends at the latest; 0 when only time ends it

  std::unique_ptr<tasks::Task> task;
  std::unique_ptr<methods::Method> method;
  std::unique_ptr<optim::Optimizer> optimizer;
  optim::Schedule schedule;                 ///< factor on the peak rates, a pure function of the step
  bool schedule_restarts = false;           ///< it warms up again after restarts (schedule.cycle)
  std::unique_ptr<optim::Plateau> plateau;  ///< factor that evaluations decide
  std::unique_ptr<MatchedRates> matched;    ///< in place of the schedule, where schedule.name is match_effective
  Averages averages;                        ///< of the weights, as train.ema asks
  std::unique_ptr<GradientExchange> exchange;
  std::unique_ptr<StepGraph> recording;  ///< of a micro-batch, where runtime.cuda_graphs asks for it and there is a GPU
};

/// How an assembled model is evaluated.
inline nn::Pass evaluation_pass(const Assembly& assembly) { return {.compute = assembly.precision.compute_type()}; }

/// A split by the trained weights; metrics by each average too, as "ema_0.999/loss".
tasks::Evaluated evaluate(
    Assembly& assembly, const std::string& split, const tasks::BetweenBatches& between = [] {});

/// Reads the data and builds the model: seconds, and the memory of a training run before its first step. `group`: every
/// process of it does the same.
///   throws    DataError, UserError (located where the recipe is to blame), ResourceError
Assembly assemble(const recipe::Recipe& recipe, std::shared_ptr<const dist::Group> group = dist::Group::alone());
/// The same for a plan: no tensor has memory, and where the task can tell what a step takes without its data, none are read.
/// All of it may take `memory` bytes. It cannot train.
///   throws    UserError where several processes cannot train the task
Assembly sketch(const recipe::Recipe& recipe, int64_t processes, double memory);
/// Where schedule.name is match_effective: reads the run whose rates are matched. Only training needs it.
///   throws    DataError when that run has not what it takes
void match_rates(Assembly& assembly, const recipe::Recipe& recipe);

struct ParameterCounts {
  int64_t total = 0;      ///< numbers the model stores
  int64_t trainable = 0;  ///< numbers the optimizer moves at one time
};

ParameterCounts count_parameters(const Assembly& assembly);

/// Bytes by category, before anything has run.
struct MemoryEstimate {
  double parameters = 0, gradients = 0, optimizer_states = 0, activations = 0, averages = 0;
  double snapshots = 0;  ///< copies in memory: the checkpoint being written, and the best one not yet written
  double checkpoint() const { return parameters + optimizer_states + averages; }
  /// One kind: as JSON calls it, and as people do.
  struct Kind {
    const char* key;
    const char* word;
    double bytes;
  };
  std::vector<Kind> kinds() const {
    return {{"parameters", "weights", parameters},
            {"gradients", "gradients", gradients},
            {"optimizer_states", "optimizer", optimizer_states},
            {"activations", "activations", activations},
            {"averages", "averages", averages},
            {"snapshots", "copies to save", snapshots}};
  }
  double total() const { return parameters + gradients + optimizer_states + activations + averages + snapshots; }
};

MemoryEstimate estimate_memory(const Assembly& assembly);

}  // namespace sst::run
