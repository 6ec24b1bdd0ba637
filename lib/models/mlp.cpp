#include "models/mlp.hpp"

#include <cmath>

#include "nn/dropout.hpp"
#include "tensor/random.hpp"
#include "tensor/shape.hpp"

namespace sst::models {
namespace {

std::shared_ptr<nn::LinearMap> mlp_map(const nn::Build& build, nn::LinearSpec spec) {
  const double bound = 1 / std::sqrt(static_cast<double>(spec.in));
  const auto uniform = [&](torch::IntArrayRef shape, const CounterRng& draws, const torch::TensorOptions& options) {
    return tensor::uniform(shape, -bound, bound, draws, options);
  };
  spec.initial_weight = build.initial_matrix({spec.out, spec.in}, spec.name + ".weight", uniform);
  const auto map = build.linear(spec);
  if (spec.bias) {
    const torch::NoGradGuard no_grad;
    torch::Tensor(map->bias()).copy_(uniform({spec.out}, build.init_rng(spec.name + ".bias"), build.tensors));
  }
  return map;
}

}  // namespace

Mlp::Mlp(const MlpOptions& options, int64_t inputs, int64_t outputs, const nn::Build& build)
    : dropout_(options.dropout), activation_(nn::activation(options.activation)) {
  const auto layers = register_module("layers", std::make_shared<torch::nn::ModuleListImpl>());
  for (int64_t i = 0; i < options.num_layers; ++i) {
    layers_.push_back(mlp_map(build, {.in = i == 0 ? inputs : options.hidden_size,
                                      .out = options.hidden_size,
                                      .bias = options.bias,
                                      .name = "layers." + std::to_string(i)}));
    layers->push_back(layers_.back());
  }
  head_ = register_module(
      "head",
      mlp_map(build,
              {.in = options.hidden_size, .out = outputs, .bias = options.bias, .name = "head", .in_block = false}));
}

torch::Tensor Mlp::forward(torch::Tensor x, const nn::Pass& pass) {
  tensor::check_shape(x, {tensor::kAny, layers_.front()->spec().in}, "images");
  for (const auto& layer : layers_)
    x = nn::dropout(activation_(layer->forward(x, pass)), dropout_, pass, layer->spec().name);  // [batch, hidden]
  return head_->forward(x, pass);
}

}  // namespace sst::models
