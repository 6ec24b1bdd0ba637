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

/// `init.scheme`: what the matrices of linear maps and embeddings are drawn from.
struct InitScheme {
  enum class Kind {
    kDefault,        ///< the model's own way
    kXavierUniform,  ///< U(−b, b), b = √(6 / (rows + columns)) (Glorot & Bengio 2010, eq. 16)
    kNormal,         ///< normal(0, deviation) for all alike
    kZero,           ///< zeros, for models that are only looked at: large ones are there at once
  };
  Kind kind = Kind::kDefault;
  double deviation = 0.02;
};

/// What a module needs to be made, besides its own options: who makes its linear maps, the seed of its
/// initial values, and the type and device of its tensors.
struct Build {
  LinearFactory linear = dense_factory();
  uint64_t seed = 0;
  torch::TensorOptions tensors = torch::kFloat32;
  InitScheme init = {};

  /// The initial matrix of this full name, a pure function of seed and name: drawn by the scheme, where that is the model's
  /// own by `own(shape, draws, options)`.
  template <class Own>
  torch::Tensor initial_matrix(torch::IntArrayRef shape, const std::string& name, const Own& own) const {
    return init.kind == InitScheme::Kind::kDefault ? own(shape, init_rng(name), tensors) : by_scheme(shape, name);
  }
  /// The same where the model's own is normal(0, deviation).
  torch::Tensor normal_matrix(torch::IntArrayRef shape, const std::string& name, double deviation) const;
  /// The same where the model's own is Xavier-uniform.
  torch::Tensor xavier_matrix(torch::IntArrayRef shape, const std::string& name) const;

  /// The draws behind one initial tensor: a pure function of the seed and the tensor's full name.
  CounterRng init_rng(std::string_view tensor_name) const { return {seed, Stream::kInit, name_index(tensor_name)}; }

 private:
  torch::Tensor by_scheme(torch::IntArrayRef shape, const std::string& name) const;
};

/// Asks for a map whose own initial weight is normal(0, deviation), as language models start.
std::shared_ptr<LinearMap> normal_linear(const Build& build, LinearSpec spec, double deviation);

/// Asks for a map whose own initial weight is Xavier-uniform, U(±√(6 / (in + out))), and whose bias is U(±1/√in).
///   source    Glorot & Bengio 2010, equation 16; the bias as linear layers usually have it
std::shared_ptr<LinearMap> xavier_linear(const Build& build, LinearSpec spec);

/// The linear maps that `make` asks its Build for, in that order; every tensor is on the meta device, which holds no
/// numbers, so that the largest model costs nothing.
///     recorded_maps([&](const Build& build) { HybonetEncoder(options, features, layers, build); })
std::vector<LinearSpec> recorded_maps(const std::function<void(const Build&)>& make);

}  // namespace sst::nn
