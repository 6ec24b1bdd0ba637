#pragma once

#include <string>
#include <vector>

#include "recipe/builtin.hpp"
#include "recipe/load.hpp"
#include "run/assembly.hpp"
#include "run/recipe_schema.hpp"

namespace sst::bench {

/// All that `sst-train builtin:NAME KEY=VALUE…` would train with, before its first step. Throws what that would say.
inline run::Assembly assemble(const std::string& name, const std::vector<std::string>& overrides) {
  recipe::Diagnostics diagnostics;
  const auto builtin = [](const std::string& wanted) {
    return std::optional<std::string>(recipe::find_builtin_recipe(wanted).text);
  };
  const auto loaded =
      recipe::load("builtin:" + name, {.overrides = overrides, .builtin = builtin}, run::recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  auto assembly = run::assemble(loaded);
  assembly.method->on_start(*assembly.optimizer);
  return assembly;
}

}  // namespace sst::bench
