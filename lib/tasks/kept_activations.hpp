#pragma once

#include <cstdint>
#include <functional>

namespace sst::tasks {

/// Bytes that one forward pass keeps for backward: for each sample, and whatever their number. Where blocks are recomputed,
/// `inside_block` is what backward has of one of them beside, for each sample.
struct KeptActivations {
  double per_sample = 0, inside_block = 0, fixed = 0;

  double of(int64_t samples) const { return fixed + (per_sample + inside_block) * static_cast<double>(samples); }
};

/// Measured rather than modelled, so that it holds for every family, method and precision: what is alive behind the loss
/// of `few` samples, and of `more` than those.
///   alive_after(samples, recompute)   the bytes behind a loss of so many samples, with a graph
///   recomputes, blocks                of the model
KeptActivations measure_activations(const std::function<double(int64_t, bool)>& alive_after, int64_t few, int64_t more,
                                    bool recomputes, int64_t blocks);

}  // namespace sst::tasks
