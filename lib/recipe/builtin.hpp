#pragma once

#include <string_view>
#include <vector>

namespace sst::recipe {

/// A recipe shipped inside the program.
struct BuiltinRecipe {
  std::string_view name;  ///< path below recipes/, for example "graphs/cora_nc.yaml"
  std::string_view text;  ///< the file, byte for byte
};

/// All of them, sorted by name. Defined in a source that the build writes from recipes/**/*.yaml.
const std::vector<BuiltinRecipe>& builtin_recipes();

/// The one called `name`; ".yaml" may be left out, as in `inherit: builtin:graphs/cora_nc`.
/// Throws UserError naming the nearest when there is none.
const BuiltinRecipe& find_builtin_recipe(std::string_view name);

}  // namespace sst::recipe
