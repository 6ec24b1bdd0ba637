#pragma once

#include <cstdint>

namespace sst::tensor {

/// What a target that does not count holds; the number of PyTorch's and Hugging Face's losses.
inline constexpr int64_t kNoTarget = -100;

}  // namespace sst::tensor
