#pragma once

#include <string>
#include <vector>

#include "recipe/diagnostics.hpp"
#include "recipe/node.hpp"
#include "recipe/schema.hpp"

namespace sst::recipe {

/// One `key.sub=value` of the command line, or one key of a sweep's point.
struct Override {
  std::string path;     ///< "method.rank", "data.train.0.src"
  bool append = false;  ///< `list+=value`
  Node value;
  Place place;
};

/// Reads the arguments left over after the flags. A flag's spelling (`--lr 1e-3`) is answered with ours.
/// Problems: E-override.
std::vector<Override> parse_overrides(const std::vector<std::string>& arguments, const Schema& schema,
                                      Diagnostics& diagnostics);

/// Lays one override over the tree: mappings merge, `list.0` addresses an element, `list+=` appends to what
/// the recipe says or else to the key's default. Problems: E-override.
void apply_override(Node& tree, const Override& override, const Schema& schema, Diagnostics& diagnostics);

}  // namespace sst::recipe
