#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "recipe/diagnostics.hpp"
#include "recipe/load.hpp"
#include "recipe/recipe.hpp"
#include "recipe/schema.hpp"

namespace sst::recipe {

/// `sweep`: several settings of one recipe, and seeds for each.
struct SweepOptions {
  std::optional<Node> axes, tied, exclude;
  std::optional<std::vector<int64_t>> seeds;
  std::optional<std::vector<std::string>> recipes;

  template <class Field>
  void describe(Field& field) {
    field(axes, "axes", anything(),
          "keys with a list of values each; the sweep is their product: {method.rank: [1, 2]}");
    field(tied, "tied", anything(), "one more axis whose rows set several keys together: [{method.name: full}, ...]");
    field(exclude, "exclude", anything(), "points to leave out, by their keys: [{method.name: full, method.rank: 2}]");
    field(seeds, "seeds", at_least(0).items(1, 1000), "every point is run once with each seed");
    field(
        recipes, "recipes", anything().items(1, 64),
        "recipes, relative to this one, whose own sweeps make up this one; beside it stand only name, description and "
        "report");
  }
};

/// One run of a sweep.
struct SweepPoint {
  std::string file;                    ///< the recipe that it is a point of
  std::vector<std::string> overrides;  ///< what `train` needs to run the same, the command line's own included
  Recipe recipe;                       ///< resolved, without its `sweep`
  std::vector<std::pair<std::string, std::string>> differing;  ///< keys that vary over the sweep, as YAML text
};

/// Whether the recipe only lists others (`sweep.recipes`), so that it says nothing to train itself.
bool is_collection(const Recipe& recipe);

/// Every point of the recipe's sweep, or of the sweeps of the recipes that it lists, axes in their order with the last one fastest, then `tied`, then seeds
/// fastest of all. Points that resolve to the same recipe are one. Every point is checked, and what is wrong
/// in any of them is in `diagnostics`. Problems: E-sweep and those of load(); without a sweep, E-sweep.
std::vector<SweepPoint> expand(const std::filesystem::path& path, const LoadOptions& options, const Schema& schema,
                               Diagnostics& diagnostics);

/// Checks the sweep's own grammar; load() does it for every recipe.
void check_sweep(const Recipe& recipe, const Schema& schema, Diagnostics& diagnostics);

/// Adds `sweep` and `report` to a schema: last, so that they stand last in every listing.
void describe_sweep_and_report(Schema& schema);

}  // namespace sst::recipe
