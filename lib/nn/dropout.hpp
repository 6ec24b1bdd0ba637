#pragma once

#include <torch/types.h>

#include <string>

#include "nn/pass.hpp"

namespace sst::nn {

/// Inverted dropout while training: each entry of x [batch, ...] is kept with probability 1 − p and scaled by
/// 1 / (1 − p). The mask of a sequence is a pure function of (seed, step, layer, its index in the step's batch): the same
/// however the batch is sliced, and the same when a block is computed again.
torch::Tensor dropout(const torch::Tensor& x, double p, const Pass& pass, const std::string& layer);

}  // namespace sst::nn
