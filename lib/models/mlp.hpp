#pragma once

#include <torch/nn/modules/container/modulelist.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nn/activation.hpp"
#include "nn/build.hpp"
#include "recipe/words.hpp"

namespace sst::models {

/// `model` of family mlp.
struct MlpOptions {
  std::string family = "mlp";
  int64_t hidden_size = 512;
  int64_t num_layers = 3;
  std::string activation = "relu";
  double dropout = 0;
  bool bias = true;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(family, "family", one_of({"mlp"}), "the architecture");
    field(hidden_size, "hidden_size", between(1, 65536), "width of the hidden layers");
    field(num_layers, "num_layers", between(1, 1024), "hidden layers, each a linear map and the activation");
    field(activation, "activation", one_of(nn::activation_names()), "after every hidden linear map");
    field(dropout, "dropout", fraction_below_one(), "on the output of every hidden layer");
    field(bias, "bias", anything(), "a bias in every linear map");
  }
};

/// A multilayer perceptron, inputs – hidden_size – … – hidden_size – outputs. The hidden maps are the blocks, which
/// low-rank methods replace; the output layer `head` is as narrow as there are classes and stays dense unless it is named.
/// Weights and biases start from U(−1/√in, 1/√in), the usual default of a linear layer.
class Mlp final : public torch::nn::Module {
 public:
  Mlp(const MlpOptions& options, int64_t inputs, int64_t outputs, const nn::Build& build);

  /// x [batch, inputs] → logits [batch, outputs].
  torch::Tensor forward(torch::Tensor x, const nn::Pass& pass);

 private:
  double dropout_;
  nn::Activation activation_;
  std::vector<std::shared_ptr<nn::LinearMap>> layers_;
  std::shared_ptr<nn::LinearMap> head_;
};

}  // namespace sst::models
