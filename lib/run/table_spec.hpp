#pragma once

#include <filesystem>

#include "recipe/recipe.hpp"
#include "run/table.hpp"

namespace sst::run {

/// The recipe's `report` section as the tables take it.
TableSpec table_spec(const recipe::Recipe& recipe);
/// That of the recipe in a run directory. Throws recipe::RecipeError.
TableSpec table_spec_of(const std::filesystem::path& run_dir);

}  // namespace sst::run
