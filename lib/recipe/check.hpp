#pragma once

#include <functional>
#include <optional>
#include <string>

#include "recipe/diagnostics.hpp"
#include "recipe/node.hpp"
#include "recipe/schema.hpp"

namespace sst::recipe {

/// What checking one value may ask about the rest of the recipe.
struct CheckContext {
  Diagnostics& diagnostics;
  /// Replaces `${…}` in a string; nothing after an error was reported.
  std::function<std::optional<std::string>(const Key& key, const Node& scalar)> interpolated;
  /// A number of the recipe, for hints.
  std::function<std::optional<double>(const std::string& path)> number;
};

/// The value in its canonical spelling, or nothing after an error: E-type, E-range, E-choice, E-name.
std::optional<Node> check_value(const Key& key, const Variant& variant, const Node& value, const CheckContext& context);

/// The value in its canonical spelling as one line of YAML, whether or not it is allowed: two texts that mean
/// the same value become equal (10K and 10_000).
std::string canonical_text(const Key& key, const Node& value);

}  // namespace sst::recipe
