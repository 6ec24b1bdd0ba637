#pragma once

#include <string>

#include "recipe/schema.hpp"

namespace sst::recipe {

/// The key table of every section: the body of docs/recipes.md. Ends in a line feed.
std::string markdown(const Schema& schema);

/// The table of one section with the ones nested in it ("" = top level). Throws UserError when there is no such section.
std::string markdown_section(const Schema& schema, const std::string& section);

/// The same for a terminal: one paragraph for each key, at most `width` columns.
std::string plain_section(const Schema& schema, const std::string& section, size_t width = 100);

}  // namespace sst::recipe
