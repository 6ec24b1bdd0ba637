#include <functional>

#include "methods/galore.hpp"
#include "optim/adam.hpp"
#include "optim/backward_updates.hpp"
#include "tensor/memory_meter.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/spectral_fixtures.hpp"

namespace sst::run {
namespace {

using torch::Tensor;

constexpr int64_t kLayers = 12, kSide = 64;

/// A chain of square maps under GaLore, and one step on it.
struct DeepChain {
  methods::Galore method;
  std::vector<std::shared_ptr<nn::LinearMap>> layers;
  optim::Optimizer optimizer{std::make_unique<optim::Adam>(optim::AdamOptions{}), 0.0};
  Tensor x = testing::gaussian({2, kSide}, 1);

  explicit DeepChain(methods::GaloreOptions options) : method(options, {.seed = 1}) {
    for (int64_t i = 0; i < kLayers; ++i) {
      auto spec = testing::spec_of(kSide, kSide, 2 + static_cast<uint64_t>(i));
      spec.name = "layers." + std::to_string(i);
      layers.push_back(method.make_linear(spec));
      for (const auto& [local, tensor] : nn::trainable_tensors(*layers.back()))
        optimizer.add({spec.name + "." + local, tensor});
    }
    method.attach(optimizer);
  }
  Tensor loss() {
    Tensor h = x;
    for (const auto& layer : layers) h = torch::tanh(layer->forward(h));
    return h.square().sum();
  }
  void ordinary_step() {
    optimizer.zero_grad();
    loss().backward();
    optimizer.step({.base = 0.01, .low_rank = 0.01});
  }
  optim::GradientNorm layerwise_step() {
    const Tensor value = loss();
    return optim::step_within_backward(optimizer, {.base = 0.01, .low_rank = 0.01}, [&] { value.backward(); });
  }
};

methods::GaloreOptions small_subspace() {
  methods::GaloreOptions options;
  options.rank = 2;
  return options;
}

int64_t peak_of(const std::function<void()>& action) {
  const tensor::TensorMemoryMeter meter;
  action();
  return meter.peak_bytes();
}

}  // namespace

TEST_CASE("updated within backward, a chain of layers never holds more gradients than one layer's", "[run][galore]") {
  DeepChain chain(small_subspace());
  chain.ordinary_step();  // the subspaces and moments are there
  chain.optimizer.zero_grad();
  constexpr int64_t kOneGradient = kSide * kSide * 8;
  const int64_t ordinary = peak_of([&] {
    chain.ordinary_step();
    chain.optimizer.zero_grad();
  });
  const int64_t layerwise = peak_of([&] { chain.layerwise_step(); });
  CHECK(ordinary >= kLayers * kOneGradient);
  CHECK(layerwise <
        4 * kOneGradient);  // a gradient, the lifted direction, its scaled copy; activations are far smaller
  for (const auto& parameter : chain.optimizer.parameters()) CHECK_FALSE(parameter.tensor.grad().defined());
}

TEST_CASE("updated within backward, weights are those of the ordinary step bit for bit", "[run][galore]") {
  DeepChain ordinary(small_subspace()), layerwise(small_subspace());
  for (int t = 0; t < 4; ++t) {
    ordinary.ordinary_step();
    const auto norm = layerwise.layerwise_step();
    const auto expected = optim::clip_gradients_(ordinary.optimizer.parameters(), 0);
    CHECK(norm.norm == Approx(expected.norm).epsilon(1e-12));
  }
  for (size_t i = 0; i < ordinary.optimizer.parameters().size(); ++i)
    CHECK(torch::equal(ordinary.optimizer.parameters()[i].tensor, layerwise.optimizer.parameters()[i].tensor));
}

TEST_CASE("a gradient that is not finite moves no tensor from there on, and an ordinary backward is as before",
          "[run][galore]") {
  DeepChain chain(small_subspace());
  const Tensor before = chain.optimizer.parameters()[0].tensor.detach().clone();
  const Tensor value = chain.loss() * std::numeric_limits<double>::infinity();
  const auto norm =
      optim::step_within_backward(chain.optimizer, {.base = 0.01, .low_rank = 0.01}, [&] { value.backward(); });
  CHECK_FALSE(norm.non_finite.empty());
  CHECK(torch::equal(chain.optimizer.parameters()[0].tensor, before));
  chain.loss().backward();
  CHECK(chain.optimizer.parameters()[0].tensor.grad().defined());
}

}  // namespace sst::run
