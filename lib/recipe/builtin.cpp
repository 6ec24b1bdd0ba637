#include "recipe/builtin.hpp"

#include <string>

#include "core/error.hpp"
#include "core/text.hpp"

namespace sst::recipe {

const BuiltinRecipe& find_builtin_recipe(std::string_view name) {
  constexpr std::string_view kSuffix = ".yaml";
  std::vector<std::string> names;
  for (const BuiltinRecipe& recipe : builtin_recipes()) {
    const std::string_view bare = recipe.name.substr(0, recipe.name.size() - kSuffix.size());
    if (name == recipe.name || name == bare) return recipe;
    names.emplace_back(bare);
  }
  const auto nearest = did_you_mean(name, names);
  throw UserError("no shipped recipe is called '" + std::string(name) + "'",
                  nearest ? "did you mean '" + *nearest + "'?" : "'sst-train recipes ls' lists them");
}

}  // namespace sst::recipe
