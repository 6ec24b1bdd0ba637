#pragma once

#include <vector>

#include "data/graph.hpp"
#include "nn/linear.hpp"
#include "recipe/diagnostics.hpp"
#include "recipe/recipe.hpp"

namespace sst::tasks {

/// What the data, model and train sections of a graph recipe get wrong, the files of the graph included where they are
/// there.
///   returns   the linear maps that the model would ask for, without initial weights; none when that cannot be told
std::vector<nn::LinearSpec> check_graph_recipe(const recipe::Recipe& recipe, recipe::Diagnostics& diagnostics,
                                               data::GraphTask task);

}  // namespace sst::tasks
