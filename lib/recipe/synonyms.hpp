#pragma once

#include <functional>
#include <optional>
#include <string>

#include "recipe/schema.hpp"

namespace sst::recipe {

/// What to write in place of the unknown key `path` ("optim.learning_rate"): other programs' names first,
/// then a key that stands in another section, then the nearest spelling. `on_command_line` asks for full
/// paths, which is what an override needs. Empty when nothing comes near.
std::string hint_for_unknown_key(const std::string& path, const Schema& schema, bool on_command_line);

/// The path of a key that `name` (without a section) most likely means: for `--lr 1e-3`.
std::optional<std::string> key_meant_by(const std::string& name, const Schema& schema);

/// What to write in place of `value` where `choices` are allowed. `number` looks up a number of the recipe,
/// so that the conversion of `noam` can be given with this recipe's values.
std::string hint_for_choice(const std::string& path, const std::string& value, const std::vector<std::string>& choices,
                            const std::function<std::optional<double>(const std::string& path)>& number);

}  // namespace sst::recipe
