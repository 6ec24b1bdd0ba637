#pragma once

#include <torch/types.h>

#include <cstdint>

namespace sst::nn {

/// Rotary position embedding (Su et al., arXiv 2104.09864) in LLaMA's layout: element i of a head is paired with
/// element i + dim/2, and the pair at position p turns by the angle p · theta^(−2i/dim).
class Rotary {
 public:
  Rotary(int64_t positions, int64_t head_dim, double theta, const torch::TensorOptions& tensors);

  /// x [batch, heads, time, head_dim], tokens at the positions first, first + 1, …, turned.
  torch::Tensor rotate(const torch::Tensor& x, int64_t first) const;

 private:
  torch::Tensor cos_, sin_;  ///< [positions, head_dim / 2], in float32 or better
};

}  // namespace sst::nn
