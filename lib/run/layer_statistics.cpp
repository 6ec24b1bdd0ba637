#include "run/layer_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/text.hpp"
#include "nn/linear.hpp"
#include "tensor/linalg.hpp"

namespace sst::run {
namespace {

double frobenius(const torch::Tensor& tensor) {
  return torch::linalg_vector_norm(tensor.detach(), 2, std::nullopt, false, torch::kFloat64).item<double>();
}

void add_matrix(MetricFields& fields, const std::string& layer, const nn::LinearMap& map) {
  const torch::Tensor weight = map.dense_weight();
  fields.emplace_back(layer + "weight_norm", frobenius(weight));
  if (!weight.isfinite().all().item<bool>()) return;  // the norm says so; there is nothing to decompose
  const torch::Tensor sigma = tensor::singular_values(weight);
  fields.emplace_back(layer + "sigma_max", sigma.max().item<double>());
  fields.emplace_back(layer + "sigma_min", sigma.min().item<double>());
  fields.emplace_back(layer + "sigma_mean", sigma.mean().item<double>());
  fields.emplace_back(layer + "effective_rank", tensor::effective_rank(sigma));
  if (const torch::Tensor held = map.singular_values(); held.defined()) {
    const torch::Tensor values = held.detach().to(torch::kCPU, torch::kFloat64).contiguous();
    const double* first = values.const_data_ptr<double>();
    fields.emplace_back(layer + "sigma", std::vector<double>(first, first + values.numel()));
  }
}

}  // namespace

std::map<std::string, double> gradient_norms(const std::vector<optim::Parameter>& parameters) {
  std::map<std::string, double> norms;
  for (const auto& parameter : parameters)
    if (const torch::Tensor& gradient = parameter.tensor.grad(); gradient.defined())
      norms[parameter.name] = frobenius(gradient);
  return norms;
}

MetricFields layer_fields(torch::nn::Module& model, const std::map<std::string, double>& gradients) {
  const torch::NoGradGuard no_grad;
  MetricFields fields;
  std::vector<std::string> maps;
  for (const auto& item : model.named_modules("", /*include_self=*/false)) {
    const auto* map = dynamic_cast<const nn::LinearMap*>(item.value().get());
    if (map == nullptr) continue;
    maps.push_back(item.key() + ".");
    const std::string layer = "layer/" + item.key() + "/";
    double squares = 0;
    for (const auto& [name, norm] : gradients)
      if (starts_with(name, maps.back())) squares += norm * norm;
    add_matrix(fields, layer, *map);
    fields.emplace_back(layer + "grad_norm", std::sqrt(squares));
  }
  for (const auto& [name, tensor] : nn::trainable_tensors(model)) {
    const auto is_inside = [&, full = name](const std::string& map) { return starts_with(full, map); };
    if (std::any_of(maps.begin(), maps.end(), is_inside)) continue;
    fields.emplace_back("layer/" + name + "/weight_norm", frobenius(tensor));
    if (const auto found = gradients.find(name); found != gradients.end())
      fields.emplace_back("layer/" + name + "/grad_norm", found->second);
  }
  return fields;
}

}  // namespace sst::run
