#pragma once

#include "recipe/schema.hpp"

namespace sst::run {

/// The one table of every recipe key, gathered from the options structs and registries: parser, validation, JSON Schema,
/// docs/recipes.md and the resolved recipe all come from it.
const recipe::Schema& recipe_schema();

}  // namespace sst::run
