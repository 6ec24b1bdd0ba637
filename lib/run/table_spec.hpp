#pragma once

#include <filesystem>

#include "recipe/recipe.hpp"
#include "report/table.hpp"

namespace sst::run {

/// The recipe's `report` section as the tables take it.
report::TableSpec table_spec(const recipe::Recipe& recipe);
/// That of the recipe in a run directory. Throws recipe::RecipeError.
report::TableSpec table_spec_of(const std::filesystem::path& run_dir);

}  // namespace sst::run
