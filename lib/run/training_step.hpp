#pragma once

#include <map>
#include <string>

#include "run/assembly.hpp"
#include "run/journal.hpp"

namespace sst::run {

struct StepResult {
  double loss = 0;           ///< per item: nats for likelihoods, margin units for margin losses
  double nll = 0;            ///< per item, in nats, where the loss is a smoothed likelihood; else the loss
  double items = 0;          ///< what the sums were divided by: target tokens, nodes, …
  double gradient_norm = 0;  ///< before clipping
  bool clipped = false;
  optim::LearningRates rates;
  std::map<std::string, double> gradient_norms;  ///< of each trained tensor, before clipping, where asked for
  MetricFields weights;                          ///< WeightMeter::fields, where asked for
  std::string problem;                           ///< what is not finite; such a step must not be applied (but see
                                                 ///< Method::updates_within_backward)
  bool weights_are_bad = false;                  ///< and it is a weight, which no other data will mend
};

/// One optimizer step, 0-based, in two halves. First gradients, the method before, clipping: nothing moves. `data_step`
/// decides the data and everything random, `step` the method's calendar; they differ once data have been left out.
///   measure_layers   fill gradient_norms
StepResult gradient_step(Assembly& assembly, int64_t step, int64_t data_step, bool measure_layers = false);
/// Then the update, and end_step; gives the result its rates.
///   measure_weights  fill result.weights; not with updates within backward
void apply_step(Assembly& assembly, int64_t step, StepResult& result, bool measure_weights = false);
/// The method after, and the averages. Alone it skips a step: no tensor and no moment moves, but the calendar of the
/// method goes on, with the merges and draws that are due.
void end_step(Assembly& assembly, int64_t step);

/// Both halves; a step with a problem is not applied.
StepResult training_step(Assembly& assembly, int64_t step);

}  // namespace sst::run
