#include "recipe/builtin.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>

#include "core/error.hpp"
#include "core/file.hpp"
#include "tests/support/catch.hpp"

using sst::recipe::builtin_recipes;
using sst::recipe::BuiltinRecipe;
using sst::recipe::find_builtin_recipe;

TEST_CASE("every shipped recipe lies inside the program byte for byte", "[recipe]") {
  const std::filesystem::path folder = std::filesystem::path(SST_SOURCE_DIR) / "recipes";
  size_t files = 0;
  std::error_code no_folder;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, no_folder)) {
    if (entry.path().extension() != ".yaml") continue;
    ++files;
    const std::string name = std::filesystem::relative(entry.path(), folder).generic_string();
    CAPTURE(name);
    CHECK(find_builtin_recipe(name).text == sst::read_file(entry.path()));
  }
  CHECK(builtin_recipes().size() == files);
  CHECK(std::is_sorted(builtin_recipes().begin(), builtin_recipes().end(),
                       [](const BuiltinRecipe& a, const BuiltinRecipe& b) { return a.name < b.name; }));
}

TEST_CASE("a shipped recipe is found without .yaml too", "[recipe]") {
  for (const BuiltinRecipe& recipe : builtin_recipes()) {
    CAPTURE(recipe.name);
    CHECK(find_builtin_recipe(recipe.name.substr(0, recipe.name.rfind(".yaml"))).name == recipe.name);
  }
}

TEST_CASE("an unknown shipped recipe is refused with a hint", "[recipe]") {
  try {
    find_builtin_recipe("no/such/recipe.yaml");
    FAIL("not refused");
  } catch (const sst::UserError& error) {
    CHECK(std::string(error.what()) == "no shipped recipe is called 'no/such/recipe.yaml'");
    CHECK(error.hint() == "'sst-train recipes ls' lists them");
  }
}
