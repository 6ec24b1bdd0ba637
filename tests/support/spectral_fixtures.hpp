#pragma once

#include <torch/types.h>

#include "methods/spectral_linear.hpp"
#include "optim/optimizer.hpp"
#include "tensor/linalg.hpp"
#include "tensor/random.hpp"

namespace sst::testing {

inline torch::Tensor gaussian(at::IntArrayRef shape, uint64_t key) {
  return tensor::normal(shape, 0, 1, CounterRng(99, Stream::kInit, key), torch::kFloat64);
}

/// Largest absolute difference, relative to the larger of 1 and the expected value's magnitude.
inline double distance(const torch::Tensor& actual, const torch::Tensor& expected) {
  const double scale = std::max(1.0, expected.abs().max().item<double>());
  return (actual - expected).abs().max().item<double>() / scale;
}

inline nn::LinearSpec spec_of(int64_t out, int64_t in, uint64_t key = 1) {
  return {.in = in, .out = out, .bias = true, .name = "layer", .initial_weight = gaussian({out, in}, key) * 0.3};
}

}  // namespace sst::testing
