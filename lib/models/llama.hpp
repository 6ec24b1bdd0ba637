#pragma once

#include "models/registry.hpp"

namespace sst::models {

/// LLaMA (Touvron et al., arXiv 2302.13971): rotary positions, RMS norms, a gated feed-forward part, optionally fewer
/// heads for keys and values. Tensors as in `LlamaForCausalLM`.
LanguageModelFamily llama_family();

}  // namespace sst::models
