#pragma once

#include <string>
#include <vector>

#include "recipe/builtin.hpp"
#include "recipe/load.hpp"
#include "run/assembly.hpp"
#include "run/recipe_schema.hpp"

namespace sst::bench {

/// The recipe of `sst-train builtin:NAME KEY=VALUE…`. Throws what that would say.
inline recipe::Recipe load(const std::string& name, const std::vector<std::string>& overrides) {
  recipe::Diagnostics diagnostics;
  const auto builtin = [](const std::string& wanted) {
    return std::optional<std::string>(recipe::find_builtin_recipe(wanted).text);
  };
  auto loaded =
      recipe::load("builtin:" + name, {.overrides = overrides, .builtin = builtin}, run::recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  return loaded;
}

/// All that it would train with, before its first step.
inline run::Assembly assemble(const std::string& name, const std::vector<std::string>& overrides) {
  auto assembly = run::assemble(load(name, overrides));
  assembly.method->on_start(*assembly.optimizer);
  return assembly;
}

}  // namespace sst::bench
