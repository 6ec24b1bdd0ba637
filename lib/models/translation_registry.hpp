#pragma once

#include "core/registry.hpp"
#include "models/translation_model.hpp"

namespace sst::models {

/// Every geometry of translation models, as in `model.geometry`. The only list that names them all.
const Registry<TranslationGeometry>& geometries();

}  // namespace sst::models
