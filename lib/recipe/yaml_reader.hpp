#pragma once

#include <memory>
#include <optional>

#include "recipe/diagnostics.hpp"
#include "recipe/node.hpp"

namespace sst::recipe {

constexpr size_t kMostFileBytes = size_t{1} << 20;
constexpr size_t kMostNodes = 10'000;  ///< visited, counted through aliases: a bomb is refused before it unfolds
constexpr size_t kMostDepth = 32;

/// Reads one YAML document strictly: no second document, no tags, no duplicate keys, plain-word keys, UTF-8
/// without control characters, within the limits above. Aliases are unfolded and merge keys (`<<`) applied.
/// Scalars keep their text: the schema gives them a type, not YAML. An empty document is a null node.
/// Problems go to `diagnostics`; nothing is returned where they leave no tree to go on with.
std::optional<Node> read_yaml(const std::shared_ptr<const Source>& source, Diagnostics& diagnostics);

/// The same for the value of an override: every place, those of errors too, is `place`.
std::optional<Node> read_yaml_value(const std::string& text, const Place& place, Diagnostics& diagnostics);

}  // namespace sst::recipe
