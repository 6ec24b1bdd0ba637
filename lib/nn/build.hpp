#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/seeds.hpp"
#include "nn/linear.hpp"

namespace sst::nn {

/// What a module needs to be made, besides its own options: who makes its linear maps, the seed of its
/// initial values, and the type and device of its tensors.
struct Build {
  LinearFactory linear = dense_factory();
  uint64_t seed = 0;
  torch::TensorOptions tensors = torch::kFloat32;

  /// The draws behind one initial tensor: a pure function of the seed and the tensor's full name.
  CounterRng init_rng(std::string_view tensor_name) const { return {seed, Stream::kInit, name_index(tensor_name)}; }
};

/// Asks for a map whose own initial weight is normal(0, deviation), as language models start.
std::shared_ptr<LinearMap> normal_linear(const Build& build, LinearSpec spec, double deviation);

/// Asks for a map whose own initial weight is Xavier-uniform, U(±√(6 / (in + out))), and whose bias is U(±1/√in).
///   source    Glorot & Bengio 2010, equation 16; the bias as linear layers usually have it
std::shared_ptr<LinearMap> xavier_linear(const Build& build, LinearSpec spec);

/// A matrix [rows, cols] that is Xavier-uniform, named for its draws.
torch::Tensor xavier_uniform(const Build& build, int64_t rows, int64_t cols, const std::string& tensor_name);

/// The linear maps that `make` asks its Build for, in that order; every tensor is on the meta device, which holds no
/// numbers, so that the largest model costs nothing.
///     recorded_maps([&](const Build& build) { HybonetEncoder(options, features, layers, build); })
std::vector<LinearSpec> recorded_maps(const std::function<void(const Build&)>& make);

}  // namespace sst::nn
