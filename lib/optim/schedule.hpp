#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "recipe/words.hpp"

namespace sst::optim {

/// The recipe's section `schedule`.
struct ScheduleOptions {
  std::string name = "constant";
  int64_t warmup_steps = 0;
  double min_lr_ratio = 0;
  std::optional<recipe::Interval> decay_steps = {};
  std::optional<recipe::Interval> cycle = {};
  std::optional<recipe::Interval> step_size = {};
  double gamma = 0.5;
  double factor = 0.5;
  int64_t patience = 5;
  std::optional<recipe::Path> file = {};
  std::optional<std::string> scope = {};

  template <class Field>
  void describe(Field& field) {
    field(name, "name",
          recipe::one_of(
              {"constant", "linear", "cosine", "inverse_sqrt", "wsd", "step", "plateau", "table", "match_effective"}),
          "shape of the learning rate over the steps; wsd = warm-up, stable, decay; table = rates from a file; "
          "match_effective = those that move the weights, relative to their norm, as in another run");
    field(warmup_steps, "warmup_steps", recipe::at_least(0),
          "linear warm-up: factor min(1, (step + 1) / warmup_steps) at the 0-based step");
    field(min_lr_ratio, "min_lr_ratio", recipe::fraction(), "the rate does not decay below this share of its peak");
    field(decay_steps, "decay_steps", recipe::at_least(1),
          "linear, cosine: the step at which the decay ends, default the end of training, may lie beyond it; wsd: "
          "length of the final decay, default a tenth of training");
    field(cycle, "cycle", recipe::at_least(1),
          "warm up again over method.restart_warmup_steps at every multiple of this, then go on as before; takes the "
          "place of "
          "the method's own warm-up after its restarts");
    field(step_size, "step_size", recipe::at_least(1), "step: the rate is multiplied by gamma every so often");
    field(gamma, "gamma", recipe::fraction(), "step: factor at each multiple of step_size");
    field(factor, "factor", recipe::fraction(), "plateau: factor when evaluations stop improving");
    field(patience, "patience", recipe::at_least(0),
          "plateau: evaluations in a row without improvement that are borne; the next one lowers the rate");
    field(
        file, "file", recipe::anything(),
        "table: one rate per line (line n is step n - 1), or lines of 'step rate'; match_effective: the directory of a "
        "run with logging.weights: 1");
    field(scope, "scope", recipe::one_of({"global", "per_matrix"}),
          "match_effective: by the norm of all decayed tensors together (the default), or of each by itself");
  }
};

/// What a schedule must know of the run.
struct ScheduleContext {
  int64_t total_steps = 0;  ///< 0 where the end of training is not known in steps
  recipe::StepUnits step = {};
  int64_t restart_warmup_steps = 20;  ///< of the method
  double peak_lr = 1;                 ///< what the rates of a table are divided by
};

/// Factor on the peak learning rate at a 0-based step: a pure function, so that a resumed run needs no state
/// for it.
using Schedule = std::function<double(int64_t step)>;

/// Throws UserError when a key is missing, has no effect under this name, or does not fit the run; DataError
/// when the table cannot be read. `plateau` has no schedule of its own but the warm-up: its factor is
/// Plateau's; match_effective has none at all, since its rates depend on the weights.
Schedule make_schedule(const ScheduleOptions& options, const ScheduleContext& context);

}  // namespace sst::optim
