#pragma once

#include <functional>
#include <optional>
#include <string>

namespace sst::recipe {

/// Where `${…}` finds what it stands for.
struct Interpolation {
  /// The text of another key; nothing, after `problem` was set, when it has none.
  std::function<std::optional<std::string>(const std::string& path, std::string& problem)> value;
  /// An environment variable.
  std::function<std::optional<std::string>(const std::string& name)> environment;
  bool environment_allowed = false;  ///< only paths may depend on the machine
  std::string recipe_dir;            ///< folder of the file that says it
};

struct Interpolated {
  std::optional<std::string> text;
  std::string id, problem, hint;  ///< where there is no text
};

/// Replaces ${key.path}, ${env:NAME}, ${env:NAME:-default} and ${recipe_dir}; `$${` is a literal `${`.
Interpolated interpolate(const std::string& text, const Interpolation& interpolation);

/// Escapes a text so that interpolate() gives it back.
std::string escape_interpolation(const std::string& text);

}  // namespace sst::recipe
