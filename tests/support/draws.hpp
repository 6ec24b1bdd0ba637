#pragma once

#include "tensor/random.hpp"

namespace sst::testing {

/// Standard normal float64 numbers, the same for the same (shape, index).
inline torch::Tensor draw(std::vector<int64_t> shape, uint64_t index) {
  return tensor::normal(shape, 0, 1, {7, Stream::kInit, index}, torch::kFloat64);
}

}  // namespace sst::testing
