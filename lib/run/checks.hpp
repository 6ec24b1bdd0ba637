#pragma once

#include "recipe/diagnostics.hpp"
#include "recipe/recipe.hpp"

namespace sst::run {

/// The checks between keys, and between keys and data, that need no training: what `validate` and every verb that
/// reads a recipe report beside the loader's own findings.
///   data that are absent altogether are one note; data that are there but wrong are an error
void check_recipe(const recipe::Recipe& recipe, recipe::Diagnostics& diagnostics);

}  // namespace sst::run
