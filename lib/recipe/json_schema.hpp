#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "recipe/schema.hpp"

namespace sst::recipe {

/// JSON Schema draft-07 of the recipe format, for editors: types, choices, ranges and the doc of every key. It accepts
/// what any task and method may say; which of them may say it together is left to `validate`.
/// `section` ("method") gives the schema of that section alone. Throws UserError when there is no such section.
nlohmann::ordered_json json_schema(const Schema& schema, const std::string& section = "");

}  // namespace sst::recipe
