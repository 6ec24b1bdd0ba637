#pragma once

#include <string>

#include "run/assembly.hpp"

namespace sst::run {

struct StepResult {
  double loss = 0;           ///< per item: nats for likelihoods, margin units for margin losses
  double gradient_norm = 0;  ///< before clipping
  optim::LearningRates rates;
  std::string problem;  ///< what is not finite; the model has then not moved (but see Method::updates_within_backward)
};

/// One optimizer step, 0-based: gradients, the method before, clipping, the update, the method after. Everything random
/// in it follows from the step.
StepResult training_step(Assembly& assembly, int64_t step);

}  // namespace sst::run
