#pragma once

#include <exception>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "recipe/recipe.hpp"
#include "run/assembly.hpp"

namespace sst::run {

/// Whether the system, LibTorch's allocator or that of a GPU said that there is no more memory.
bool is_out_of_memory(const std::exception& error);

/// What a user is told then: what was going on, what the run needs by kind and what the device has, and the three changes of
/// the recipe that save most, each with its bytes.
///   doing   "in step 12", "while building the model"
///   known   the estimate of the model as it was built, for tasks that cannot be planned without their data
ResourceError out_of_memory(const std::exception& error, const recipe::Recipe& recipe, torch::Device device,
                            int64_t processes, const std::string& doing, const std::optional<MemoryEstimate>& known);

/// Runs `action`; its end for want of memory becomes the error above. `doing` is asked for then.
template <class Action, class Doing>
auto explaining_memory(const recipe::Recipe& recipe, torch::Device device, int64_t processes,
                       const std::optional<MemoryEstimate>& known, const Doing& doing, const Action& action) {
  try {
    return action();
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    throw out_of_memory(error, recipe, device, processes, doing(), known);
  }
}

}  // namespace sst::run
