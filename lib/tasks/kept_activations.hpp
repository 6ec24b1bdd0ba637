#pragma once

#include <torch/nn/module.h>

#include <algorithm>
#include <cstdint>
#include <functional>

#include "tasks/task.hpp"

namespace sst::tasks {

/// Bytes that one forward pass keeps for backward: for each sample, and whatever their number. Beside them, for each sample:
/// what backward makes before it has freed as much, and where blocks are recomputed, the inside of one of them.
struct KeptActivations {
  double per_sample = 0, in_backward = 0, inside_block = 0, fixed = 0;

  /// The most that is there at a time, where forward ends with `logits` bytes that are gone when backward begins.
  double at_once(int64_t samples, double logits) const {
    const auto count = static_cast<double>(samples);
    return fixed + per_sample * count + std::max(logits, (in_backward + inside_block) * count);
  }
};

/// Measured rather than modelled, so that it holds for every family, method and precision: what is alive behind the loss
/// of `few` samples, and of `more` than those.
///   loss_of(samples, recompute)   their loss, with a graph
///   recomputes, blocks            of the model
KeptActivations measure_activations(const std::function<torch::Tensor(int64_t, bool)>& loss_of, int64_t few,
                                    int64_t more, const torch::nn::Module& model, c10::DeviceType device,
                                    bool recomputes, int64_t blocks);

/// What a whole pass takes, forward and backward, where that is quick enough to be tried.
struct PassBytes {
  double gradients = 0;       ///< of all tensors that train
  double with_gradients = 0;  ///< the most at a time, each gradient kept
  double without = 0;         ///< each gone as soon as it is made
  bool is_of_another =
      false;  ///< of a copy with plain matrices: gradients are not those of this model, and come on top

  /// `kept`: the bytes of gradients that are not gone as soon as they are made. Those of what a method derives from its
  /// tensors are not tried here; they come as activations go.
  double at_once(double kept) const {
    if (is_of_another) return without + kept;
    return kept < gradients ? without : std::max(with_gradients, kept);
  }
};

PassBytes measure_pass(const std::function<torch::Tensor()>& loss, const torch::nn::Module& model,
                       c10::DeviceType device);

/// For a model without data (device meta): what `copy`, the same task and not built yet, takes with plain matrices on a CPU.
PassBytes measure_copy(Task& copy, const torch::TensorOptions& tensors);

}  // namespace sst::tasks
