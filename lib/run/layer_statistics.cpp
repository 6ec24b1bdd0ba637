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

constexpr size_t kSpectrumValues = 128;  ///< enough for a figure; a line of the journal stays readable

std::vector<double> doubles_of(const torch::Tensor& tensor) {
  const torch::Tensor values = tensor.detach().to(torch::kCPU, torch::kFloat64).contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

void add_matrix(MetricFields& fields, const std::string& layer, const nn::LinearMap& map, const torch::Tensor& before) {
  const torch::Tensor weight = map.dense_weight();
  fields.emplace_back(layer + "weight_norm", frobenius(weight));
  if (before.defined()) fields.emplace_back(layer + "update_norm", frobenius(weight - before));
  if (!weight.isfinite().all().item<bool>()) return;  // the norm says so; there is nothing to decompose
  const torch::Tensor sigma = tensor::singular_values(weight);
  fields.emplace_back(layer + "sigma_max", sigma.max().item<double>());
  fields.emplace_back(layer + "sigma_min", sigma.min().item<double>());
  fields.emplace_back(layer + "sigma_mean", sigma.mean().item<double>());
  fields.emplace_back(layer + "effective_rank", tensor::effective_rank(sigma));
  fields.emplace_back(layer + "spectrum", spaced(doubles_of(sigma), kSpectrumValues));
  if (const torch::Tensor held = map.singular_values(); held.defined())
    fields.emplace_back(layer + "sigma", doubles_of(held));
}

}  // namespace

std::map<std::string, double> gradient_norms(const optim::Optimizer& optimizer) {
  std::map<std::string, double> norms;
  std::vector<double> squares;  // of shards
  for (const auto& parameter : optimizer.parameters())
    if (const torch::Tensor gradient = parameter.own_gradient(); gradient.defined()) {
      const double norm = norms[parameter.name] = frobenius(gradient);
      if (parameter.shard) squares.push_back(norm * norm);
    }
  optimizer.sharers().sum_(squares);
  size_t i = 0;
  for (const auto& parameter : optimizer.parameters())
    if (parameter.shard && parameter.tensor.grad().defined()) norms[parameter.name] = std::sqrt(squares[i++]);
  return norms;
}

std::vector<double> spaced(const std::vector<double>& all, size_t most) {
  if (all.size() <= most) return all;
  std::vector<double> some;
  for (size_t i = 0; i < most; ++i) some.push_back(all[i * (all.size() - 1) / (most - 1)]);
  return some;
}

std::map<std::string, torch::Tensor> map_weights(const torch::nn::Module& model) {
  std::map<std::string, torch::Tensor> weights;
  for (const auto& item : model.named_modules("", /*include_self=*/false))
    if (const auto* map = dynamic_cast<const nn::LinearMap*>(item.value().get()))
      weights[item.key()] = map->dense_weight().clone();  // a plain map gives the live one
  return weights;
}

MetricFields layer_fields(torch::nn::Module& model, const std::map<std::string, double>& gradients,
                          const std::map<std::string, torch::Tensor>& before) {
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
    const auto then = before.find(item.key());
    add_matrix(fields, layer, *map, then == before.end() ? torch::Tensor() : then->second);
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
