#pragma once

#include <torch/types.h>

#include <vector>

#include "core/seeds.hpp"

/// Tensors drawn from the named streams, from their beginning: pure functions of their arguments, the same on every
/// device and number of threads. Numbers are drawn in double precision on the CPU and then cast, so that float32 and
/// float64 models start from the same values. On the meta device nothing is drawn.
namespace sst::tensor {

/// Uniform on [least, most).
torch::Tensor uniform(torch::IntArrayRef shape, double least, double most, const CounterRng& rng,
                      const torch::TensorOptions& options = torch::kFloat32);

/// Normal with the given mean and standard deviation.
torch::Tensor normal(torch::IntArrayRef shape, double mean, double deviation, const CounterRng& rng,
                     const torch::TensorOptions& options = torch::kFloat32);

/// The numbers 0 … count − 1 in random order, int64 [count].
torch::Tensor permutation(int64_t count, CounterRng rng);

/// Factors of inverted dropout, [count] on the CPU: 1 / (1 − p) with probability 1 − p, else 0.
torch::Tensor dropout_factors(int64_t count, double p, const CounterRng& rng, torch::ScalarType dtype);

/// The same decisions as bytes, 1 where dropout_factors keeps.
void dropout_keeps(uint8_t* keeps, int64_t count, double p, const CounterRng& rng);

/// The same decisions, made on a GPU: bool [rows.size(), count], a row from each stream. The streams have one key.
torch::Tensor dropout_keeps_on_gpu(const std::vector<CounterRng>& rows, int64_t count, double p, torch::Device device);

}  // namespace sst::tensor
