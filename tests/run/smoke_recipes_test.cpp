#include "tests/support/smoke_recipes.hpp"

#include "methods/registry.hpp"
#include "recipe/load.hpp"
#include "run/recipe_schema.hpp"
#include "tests/support/catch.hpp"

namespace sst::run {

TEST_CASE("every method that is registered has a smoke recipe in every family", "[run]") {
  auto registered = methods::registry().names();
  for (const std::string& method : registered)
    for (const std::string family : testing::kSmokeFamilies) {
      CAPTURE(family, method);
      recipe::Diagnostics diagnostics;
      const auto recipe = recipe::load(testing::smoke_recipe(family, method), {}, recipe_schema(), diagnostics);
      INFO(diagnostics.render());
      REQUIRE_FALSE(diagnostics.has_errors());
      CHECK(recipe.text("method.name") == method);
    }
  std::sort(registered.begin(), registered.end());
  CHECK(testing::smoke_methods() == registered);
}

}  // namespace sst::run
