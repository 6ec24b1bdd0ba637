#include "models/mlp.hpp"

#include "tests/support/build.hpp"
#include "tests/support/catch.hpp"

namespace sst::models {

TEST_CASE("a multilayer perceptron applies its maps in order, the head without activation", "[models]") {
  Mlp model({.hidden_size = 5, .num_layers = 2}, 7, 3, testing::kDouble);
  auto tensors = model.named_parameters();
  CHECK(tensors.size() == 6);
  const torch::Tensor x = torch::arange(14, torch::kFloat64).view({2, 7}) / 10 - 0.7;
  torch::Tensor h = x;
  for (const std::string layer : {"layers.0", "layers.1"})
    h = torch::relu(torch::linear(h, tensors[layer + ".weight"], tensors[layer + ".bias"]));
  const torch::Tensor expected = torch::linear(h, tensors["head.weight"], tensors["head.bias"]);
  CHECK(torch::equal(model.forward(x, {}), expected));
}

TEST_CASE("the maps of a perceptron are 784-512-512-512-classes, and its head is no target", "[models]") {
  const auto maps = nn::recorded_maps([](const nn::Build& build) { Mlp({}, 784, 10, build); });
  REQUIRE(maps.size() == 4);
  CHECK((maps[0].in == 784 && maps[0].out == 512 && maps[0].in_block));
  CHECK((maps[2].in == 512 && maps[2].out == 512 && maps[2].in_block));
  CHECK((maps[3].in == 512 && maps[3].out == 10 && !maps[3].in_block));
}

TEST_CASE("a perceptron starts within one over the root of its inputs", "[models]") {
  const Mlp model({.hidden_size = 64, .num_layers = 1}, 100, 3, testing::kDouble);
  const torch::Tensor weight = model.named_parameters()["layers.0.weight"];
  CHECK(weight.abs().max().item<double>() <= 0.1);
  CHECK(weight.square().mean().item<double>() == Approx(0.01 / 3).epsilon(0.05));
}

}  // namespace sst::models
