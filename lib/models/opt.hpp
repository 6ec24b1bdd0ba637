#pragma once

#include "models/registry.hpp"

namespace sst::models {

/// OPT (Zhang et al., arXiv 2205.01068): learned positions, ReLU, layer norms before the parts of a block; 350M has
/// them behind, no final norm, and token vectors narrower than its blocks. Tensors as in `OPTForCausalLM`.
LanguageModelFamily opt_family();

}  // namespace sst::models
