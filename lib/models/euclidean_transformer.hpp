#pragma once

#include "models/translation_model.hpp"

namespace sst::models {

/// The Transformer of Vaswani et al. 2017 with norms in front, as OpenNMT-py 1.1.1 has it: sinusoidal positions,
/// Xavier-uniform matrices, a norm behind the last layer of each side.
TranslationGeometry euclidean_transformer();

}  // namespace sst::models
