#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "recipe/recipe.hpp"
#include "run/assembly.hpp"

namespace sst::run {

/// Processes with a device each, on a machine that need not be at hand. What is not given is not predicted.
struct Machine {
  int64_t processes = 1;
  double device_memory = 0;  ///< bytes of each device
  double link = 0;           ///< bytes that each process sends in a second
  double flops = 0;          ///< floating-point operations that each device does in a second in matrix products
};

/// What one recipe takes there. Memory, operations and bytes are counted, activations are measured on a CPU (on one and two
/// blocks of the model, with plain matrices); seconds are what they make of the stated rates.
struct ScalePlan {
  ParameterCounts parameters;
  MemoryEstimate memory;     ///< of each process, with the largest micro-batch that fits
  int64_t micro_batch = 0;   ///< samples of each process at a time; 0: the recipe says what is computed together
  bool fits = true;          ///< in 90 % of the device's memory; true where that is not given
  double flops = 0;          ///< of each process and step
  double sent_bytes = 0;     ///< by each process in each step: gradients, and with a sharded optimizer weights
  double compute_s = 0;      ///< of a step; 0 where the rate is not given
  double exchange_s = 0;     ///< the same of what is sent
  double hidden_s() const;   ///< a step whose exchange is hidden behind backward
  double in_turn_s() const;  ///< a step that computes and then exchanges
};

/// Throws UserError where several processes cannot train it, or cannot share a step evenly.
ScalePlan plan_for(const recipe::Recipe& recipe, const Machine& machine);

}  // namespace sst::run
