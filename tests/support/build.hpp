#pragma once

#include "nn/build.hpp"

namespace sst::testing {

/// Dense float64 layers.
inline const nn::Build kDouble{.linear = nn::dense_factory(), .seed = 5, .tensors = torch::kFloat64};

}  // namespace sst::testing
