#pragma once

#include "recipe/diagnostics.hpp"
#include "recipe/node.hpp"
#include "recipe/schema.hpp"

namespace sst::recipe {

/// Turns `precision: bf16_mixed` into the mapping the preset stands for, so that later layers merge into it
/// key by key. Problems: E-choice.
void expand_presets(Node& tree, const Schema& schema, Diagnostics& diagnostics);

}  // namespace sst::recipe
