#pragma once

#include <functional>
#include <memory>

#include "core/registry.hpp"
#include "methods/method.hpp"
#include "recipe/recipe.hpp"
#include "recipe/schema.hpp"

namespace sst::methods {

struct MethodEntry {
  std::string doc;
  /// Adds the method's keys to section `method`, valid only while method.name is `name`.
  std::function<void(recipe::Schema&, const std::string& name)> describe;
  /// Reads section `method` and makes the method.
  std::function<std::unique_ptr<Method>(const recipe::Recipe&, const MethodContext&)> make;
};

/// Every method there is, in the order in which tables show them. The only list that names them all.
const Registry<MethodEntry>& registry();

}  // namespace sst::methods
