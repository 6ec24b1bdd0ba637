#pragma once

#include <torch/types.h>

#include <cstdint>
#include <initializer_list>

/// What the fused loops over raw memory share. They run where a tensor operation per term of a formula would
/// cost more than the arithmetic: in small tensors for the calls, in large ones for the passes over memory.
namespace sst::optim {

/// Elements a thread takes at least: below it, starting a thread costs more than the work.
inline constexpr int64_t kGrain = 32768;
/// Elements per inner loop: a constant, so that the compiler turns it into vector instructions without a
/// remainder.
inline constexpr int64_t kLanes = 16;

/// True when all tensors lie contiguous in CPU memory with one and the same type, float32 or float64.
inline bool fits_cpu_loop(std::initializer_list<torch::Tensor> tensors) {
  const auto type = tensors.begin()->scalar_type();
  if (type != torch::kFloat32 && type != torch::kFloat64) return false;
  for (const torch::Tensor& tensor : tensors)
    if (!tensor.is_cpu() || tensor.scalar_type() != type || !tensor.is_contiguous() ||
        tensor.layout() != torch::kStrided)
      return false;
  return true;
}

/// Calls `body` with a float or a double, whichever the tensor holds.
template <class Body>
void with_type_of(const torch::Tensor& tensor, Body body) {
  if (tensor.scalar_type() == torch::kFloat64)
    body(double{});
  else
    body(float{});
}

}  // namespace sst::optim
