#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "recipe/diagnostics.hpp"
#include "recipe/node.hpp"
#include "recipe/schema.hpp"

namespace sst::recipe {

/// The text of the recipe that the binary carries under a name; nothing when there is none.
using BuiltinRecipes = std::function<std::optional<std::string>(const std::string& name)>;

/// A recipe file and all it inherits from, merged, before overrides and types.
struct Document {
  Node tree = Node::mapping();
  std::shared_ptr<const Source> file;                  ///< the recipe itself
  std::vector<std::shared_ptr<const Source>> sources;  ///< in the order they were laid over one another
  bool readable = false;                               ///< false when a file could not be read or parsed
};

/// Reads `path` ("builtin:NAME" too) and what it inherits from. Mappings merge key by key, scalars and lists
/// are replaced, null removes. Problems: E-file, those of read_yaml, E-mapping, E-inherit, E-version,
/// E-missing.
Document read_document(const std::filesystem::path& path, const BuiltinRecipes& builtin, const Schema& schema,
                       Diagnostics& diagnostics);

/// The same for a text that is not in a file; `inherit` is relative to the current directory.
Document read_document_text(const std::string& text, const std::string& name, const BuiltinRecipes& builtin,
                            const Schema& schema, Diagnostics& diagnostics);

/// The name of the recipe that `file` calls `path`: relative to the file that says it; what a built-in recipe names is
/// built in too.
std::string beside(const std::string& file, const std::string& path);

}  // namespace sst::recipe
