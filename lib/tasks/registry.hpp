#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/registry.hpp"
#include "nn/linear.hpp"
#include "recipe/diagnostics.hpp"
#include "recipe/recipe.hpp"
#include "recipe/schema.hpp"
#include "tasks/task.hpp"

namespace sst::tasks {

struct Space {
  bool is_lorentz = false;  ///< the model lives on the hyperboloid
  bool has_points = false;  ///< it trains tensors whose rows are points of it
};

struct TaskEntry {
  std::string doc;
  std::vector<std::string> metrics;  ///< what evaluate() computes; the first selects the best checkpoint
  std::vector<std::string> splits = {"valid", "test"};  ///< what eval.splits may name
  bool counts_tokens = false;                           ///< an optimizer step sees a known number of tokens
  bool one_step_per_epoch = false;                      ///< an epoch is one optimizer step
  /// The space of the model that a recipe asks for; Euclidean where it is not given.
  std::function<Space(const recipe::Recipe&)> space = {};
  /// Adds the keys of sections data, model and train that this task knows, valid only while `task` is `name`.
  std::function<void(recipe::Schema&, const std::string& name)> describe;
  /// Reports what the task's sections get wrong together, and returns the linear maps that its model would ask for,
  /// without initial weights; none when that cannot be told.
  std::function<std::vector<nn::LinearSpec>(const recipe::Recipe&, recipe::Diagnostics&)> check;
  /// Where among the files that a checkpoint keeps the one is that `tokenizer.model` should name: "" for their folder.
  std::function<std::string(const recipe::Recipe&)> kept_tokenizer = {};
  /// The task without its data, for plans: it builds its model and tells what a step takes, and nothing else. Empty where
  /// the data decide that. Throws UserError.
  std::function<std::unique_ptr<Task>(const recipe::Recipe&)> sketch = {};
  /// Reads and checks the data. Throws DataError, UserError.
  std::function<std::unique_ptr<Task>(const recipe::Recipe&)> make;
};

/// Every task there is.
const Registry<TaskEntry>& registry();

/// The metrics of all tasks, each once.
std::vector<std::string> all_metrics();

}  // namespace sst::tasks
