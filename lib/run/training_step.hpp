#pragma once

#include <map>
#include <string>

#include "run/assembly.hpp"

namespace sst::run {

struct StepResult {
  double loss = 0;           ///< per item: nats for likelihoods, margin units for margin losses
  double gradient_norm = 0;  ///< before clipping
  optim::LearningRates rates;
  std::map<std::string, double> gradient_norms;  ///< of each trained tensor, before clipping, where asked for
  std::string problem;                           ///< what is not finite; the model has then not moved
};

/// One optimizer step, 0-based: gradients, the method before, clipping, the update, the method after. Everything random
/// in it follows from the step.
///   measure_layers   fill gradient_norms
StepResult training_step(Assembly& assembly, int64_t step, bool measure_layers = false);

}  // namespace sst::run
