#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/registry.hpp"
#include "recipe/recipe.hpp"
#include "recipe/schema.hpp"
#include "tasks/task.hpp"

namespace sst::tasks {

struct TaskEntry {
  std::string doc;
  std::vector<std::string> metrics;  ///< what evaluate() computes; the first selects the best checkpoint
  bool has_points = false;           ///< trains tensors whose rows are points of the hyperboloid
  /// Adds the keys of sections data, model and train that this task knows, valid only while `task` is `name`.
  std::function<void(recipe::Schema&, const std::string& name)> describe;
  /// Reads and checks the data. Throws DataError, UserError.
  std::function<std::unique_ptr<Task>(const recipe::Recipe&)> make;
};

/// Every task there is.
const Registry<TaskEntry>& registry();

}  // namespace sst::tasks
