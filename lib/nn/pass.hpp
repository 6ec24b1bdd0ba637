#pragma once

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/seeds.hpp"

namespace sst::nn {

/// What a forward pass needs to know besides its input: whether it trains, which numbers its dropout draws, and what it
/// may trade for memory and speed.
struct Pass {
  bool training = false;
  uint64_t seed = 0;
  int64_t step = 0;       ///< 0-based optimizer step
  int64_t first_row = 0;  ///< index, in the step's whole batch, of the first sequence of this micro-batch
  /// Rows of a linear map's input that are one sequence, where there are any: LinearMap::forward tells its apply().
  int64_t rows_per_sequence = 0;

  /// What the loss will be multiplied by before backward, for losses that make their gradients at once.
  double loss_scale = 1;

  /// Type in which linear maps and attention compute (mixed precision); not given: in the type of the weights.
  std::optional<torch::ScalarType> compute = std::nullopt;
  /// Attention over short sequences may be computed in float32 where that is faster; it keeps more for backward.
  bool may_widen_attention = true;
  /// Keep only the inputs of a model's blocks for backward and compute what is inside them a second time.
  bool recompute = false;

  /// The mask of one layer in one step: a pure function of (seed, step, layer), whatever else ran before.
  CounterRng dropout_rng(std::string_view layer) const { return {seed, Stream::kDropout, layer_index(layer)}; }
  /// The mask of one sequence, by its index in the step's batch: it does not depend on how the batch was sliced.
  CounterRng dropout_rng(std::string_view layer, int64_t row) const {
    return {seed, Stream::kDropout, combine(layer_index(layer), static_cast<uint64_t>(row))};
  }

 private:
  uint64_t layer_index(std::string_view layer) const { return combine(static_cast<uint64_t>(step), name_index(layer)); }
};

}  // namespace sst::nn
