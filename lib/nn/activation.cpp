#include "nn/activation.hpp"

#include "core/registry.hpp"

namespace sst::nn {
namespace {

const Registry<Activation>& activations() {
  static const Registry<Activation> all = [] {
    Registry<Activation> list("activation");
    list.add("relu", [](const torch::Tensor& x) { return x.relu(); });
    list.add("gelu", [](const torch::Tensor& x) { return torch::gelu(x); });
    list.add("gelu_tanh", [](const torch::Tensor& x) { return torch::gelu(x, "tanh"); });
    list.add("silu", [](const torch::Tensor& x) { return torch::silu(x); });
    list.add("none", [](const torch::Tensor& x) { return x; });
    return list;
  }();
  return all;
}

}  // namespace

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names = activations().names();
  return names;
}

Activation activation(const std::string& name) { return activations().at(name); }

}  // namespace sst::nn
