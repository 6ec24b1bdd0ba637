#pragma once

#include "models/translation_model.hpp"

namespace sst::models {

/// The fully hyperbolic Transformer of Chen et al. 2022 (HyboNet) in the Lorentz model, as its published translation
/// code has it: every vector is a point, every map a Lorentz linear layer, words are scored by their distance.
TranslationGeometry hyperbolic_transformer();

}  // namespace sst::models
