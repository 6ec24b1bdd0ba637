// One training step of a single linear map of 2048 rows: forward, backward to weights and input, update. A spectral map
// of rank 64, run either way and as `execution: auto` chooses, beside the dense matrix it stands for.

#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/spectral_linear.hpp"
#include "optim/adam.hpp"
#include "optim/optimizer.hpp"
#include "tensor/random.hpp"
#include "tests/bench/settings.hpp"

namespace sst::bench {
namespace {

using methods::SpectralLinear;
using Execution = SpectralLinear::Execution;

constexpr int64_t kRows = 2048, kRank = 64;

torch::Tensor numbers(int64_t rows, int64_t cols, uint64_t index) {
  return tensor::normal({rows, cols}, 0, 0.02, {1, Stream::kInit, index}, torch::kFloat32);
}

/// Steps of `map` under AdamW; `spectral` is the same map where it is one.
void train_map(benchmark::State& state, nn::LinearMap& map, SpectralLinear* spectral) {
  optim::Optimizer optimizer(std::make_unique<optim::Adam>(optim::AdamOptions{}), 0);
  for (const auto& [name, tensor] : nn::trainable_tensors(map)) optimizer.add({.name = name, .tensor = tensor});
  const torch::Tensor x = numbers(kRows, map.spec().in, 2).requires_grad_(), g = numbers(kRows, map.spec().out, 3);
  for (auto _ : state) {
    optimizer.zero_grad();
    x.mutable_grad() = torch::Tensor();
    map.forward(x, {.training = true}).backward(g);
    if (spectral) spectral->contract_gradient();
    optimizer.step({.base = 1e-4, .low_rank = 1e-4});
    if (spectral) spectral->constrain();
  }
}

nn::LinearSpec spec_of(const benchmark::State& state) {
  const int64_t out = state.range(0), in = state.range(1);
  return {.in = in, .out = out, .bias = true, .name = "map", .initial_weight = numbers(out, in, 1)};
}

void dense_step(benchmark::State& state) {
  nn::DenseLinear map(spec_of(state));
  train_map(state, map, nullptr);
}

void spectral_step(benchmark::State& state, Execution execution) {
  SpectralLinear map(spec_of(state), {.rank = kRank, .execution = execution});
  train_map(state, map, &map);
}

void factored_step(benchmark::State& state) { spectral_step(state, Execution::kFactored); }
void materialised_step(benchmark::State& state) { spectral_step(state, Execution::kMaterialised); }
void auto_step(benchmark::State& state) {
  spectral_step(state, methods::cheaper_execution(kRows, state.range(1), state.range(0), kRank));
}

void map_shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"out", "in"})->Args({768, 768})->Args({3072, 768})->Args({768, 3072})->Apply(measured);
}

BENCHMARK(dense_step)->Apply(map_shapes);
BENCHMARK(factored_step)->Apply(map_shapes);
BENCHMARK(materialised_step)->Apply(map_shapes);
BENCHMARK(auto_step)->Apply(map_shapes);

const bool maps_compared = [] {
  for (const char* shape : {"out:768/in:768", "out:3072/in:768", "out:768/in:3072"})
    for (const char* step : {"factored_step", "materialised_step", "auto_step"})
      beside(fmt::format("{}/{}", step, shape), fmt::format("dense_step/{}", shape));
  return true;
}();

}  // namespace
}  // namespace sst::bench
