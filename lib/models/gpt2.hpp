#pragma once

#include "models/registry.hpp"

namespace sst::models {

/// GPT-2 (Radford et al. 2019): learned positions, GELU, one map for queries, keys and values. Tensors as in
/// `GPT2LMHeadModel`, matrices [out, in].
LanguageModelFamily gpt2_family();

}  // namespace sst::models
