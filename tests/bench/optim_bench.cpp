// One optimizer step, our rules beside LibTorch's own, on one large matrix and on many small tensors. Bytes are those
// a perfect single pass moves: parameter, gradient and two moments read, all but the gradient written.

#include <fmt/format.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>
#include <torch/utils.h>

#include "optim/adam.hpp"
#include "optim/clip.hpp"
#include "optim/optimizer.hpp"
#include "optim/riemannian_adam.hpp"
#include "tests/bench/settings.hpp"

namespace sst::bench {

namespace {

using torch::Tensor;

/// Tensors [rows, cols] that have a gradient.
std::vector<Tensor> tensors(const benchmark::State& state) {
  torch::manual_seed(1);
  std::vector<Tensor> list;
  for (int64_t i = 0; i < state.range(0); ++i) {
    list.push_back(torch::randn({state.range(1), state.range(2)}).requires_grad_());
    list.back().mutable_grad() = torch::randn({state.range(1), state.range(2)});
  }
  return list;
}

void count(benchmark::State& state, int64_t transfers) {
  const int64_t elements = state.range(0) * state.range(1) * state.range(2);
  state.SetBytesProcessed(state.iterations() * elements * transfers * static_cast<int64_t>(sizeof(float)));
}

void adamw_step(benchmark::State& state) {
  const auto list = tensors(state);
  optim::Optimizer optimizer(std::make_unique<optim::Adam>(optim::AdamOptions{}), 0.01);
  for (size_t i = 0; i < list.size(); ++i) optimizer.add({.name = std::to_string(i), .tensor = list[i], .decay = true});
  for (auto _ : state) optimizer.step({.base = 1e-3});
  count(state, 7);
}

void libtorch_adamw_step(benchmark::State& state) {
  torch::optim::AdamW optimizer(tensors(state), torch::optim::AdamWOptions(1e-3).weight_decay(0.01));
  for (auto _ : state) optimizer.step();
  count(state, 7);
}

void clip_gradients(benchmark::State& state) {
  const auto list = tensors(state);
  std::vector<optim::Parameter> parameters;
  for (size_t i = 0; i < list.size(); ++i) parameters.push_back({.name = std::to_string(i), .tensor = list[i]});
  for (auto _ : state) benchmark::DoNotOptimize(optim::clip_gradients_(parameters, 1e9).norm);
  count(state, 1);
}

void libtorch_clip_gradients(benchmark::State& state) {
  const auto list = tensors(state);
  for (auto _ : state) benchmark::DoNotOptimize(torch::nn::utils::clip_grad_norm_(list, 1e9));
  count(state, 1);
}

void riemannian_adam_step(benchmark::State& state) {
  torch::manual_seed(1);
  const Tensor space = torch::randn({state.range(1), state.range(2) - 1});
  const Tensor points = torch::cat({(1 + space.square().sum(-1, true)).sqrt(), space}, -1);
  points.mutable_grad() = torch::randn_like(points);
  optim::Optimizer optimizer(std::make_unique<optim::RiemannianAdam>(optim::AdamOptions{}), 0);
  optimizer.add({.name = "points", .tensor = points, .geometry = optim::Geometry::kLorentz});
  for (auto _ : state) optimizer.step({.base = 1e-3});
}

/// {number of tensors, rows, cols}: one feed-forward map of a 125M model, and what a graph model trains.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"tensors", "rows", "cols"})->Args({1, 768, 3072})->Args({100, 16, 16})->Apply(measured);
}

BENCHMARK(libtorch_adamw_step)->Apply(shapes);
BENCHMARK(adamw_step)->Apply(shapes);
BENCHMARK(libtorch_clip_gradients)->Apply(shapes);
BENCHMARK(clip_gradients)->Apply(shapes);
BENCHMARK(riemannian_adam_step)
    ->ArgNames({"", "points", "dim"})
    ->Args({1, 7, 16})
    ->Args({1, 10000, 64})
    ->Apply(measured);

const bool rules_compared = [] {
  for (const char* shape : {"tensors:1/rows:768/cols:3072", "tensors:100/rows:16/cols:16"})
    for (const char* step : {"adamw_step", "clip_gradients"})
      beside(fmt::format("{}/{}", step, shape), fmt::format("libtorch_{}/{}", step, shape));
  return true;
}();

}  // namespace

}  // namespace sst::bench
