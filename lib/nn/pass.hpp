#pragma once

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/seeds.hpp"

namespace sst::nn {

/// What a forward pass needs to know besides its input: whether it trains, and which numbers its dropout draws.
struct Pass {
  bool training = false;
  uint64_t seed = 0;
  int64_t step = 0;  ///< 0-based optimizer step
  /// Place in its step of the first sequence of this part, so that masks do not depend on how a step is cut.
  int64_t first_row = 0;
  /// What the loss will be multiplied by before backward, for losses that make their gradients at once.
  double loss_scale = 1;
  /// Type of matrix products and attention; not given: that of the tensors.
  std::optional<torch::ScalarType> compute = {};

  /// The mask of one layer in one step: a pure function of (seed, step, layer), whatever else ran before.
  CounterRng dropout_rng(std::string_view layer) const {
    return {seed, Stream::kDropout, combine(static_cast<uint64_t>(step), name_index(layer))};
  }
};

}  // namespace sst::nn
