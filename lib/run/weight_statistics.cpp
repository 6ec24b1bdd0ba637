#include "run/weight_statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string_view>

#include "core/file.hpp"

namespace sst::run {
namespace {

constexpr size_t kHashDigits = 16;

/// One number from each of the scalars, with a single copy from the device.
std::vector<double> to_host(const std::vector<torch::Tensor>& scalars) {
  if (scalars.empty()) return {};
  const torch::Tensor all = torch::stack(scalars).to(torch::kCPU, torch::kFloat64).contiguous();
  const double* first = all.const_data_ptr<double>();
  return {first, first + all.numel()};
}

torch::Tensor norm_of(const torch::Tensor& tensor) {
  return torch::linalg_vector_norm(tensor.detach(), 2, std::nullopt, false, torch::kFloat64);
}

/// Which part of a model a tensor belongs to, by the names of lib/models; the first that matches.
std::string group_of(const std::string& name) {
  using Group = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Group, 13> kGroups = {{{"embed", "embeddings"},
                                                     {"wte", "embeddings"},
                                                     {"wpe", "embeddings"},
                                                     {".bias", "biases"},
                                                     {"norm", "norms"},
                                                     {"ln_", "norms"},
                                                     {"attn", "attention"},
                                                     {"mlp", "feed_forward"},
                                                     {"fc", "feed_forward"},
                                                     {"ffn", "feed_forward"},
                                                     {"gate_proj", "feed_forward"},
                                                     {"up_proj", "feed_forward"},
                                                     {"layers", "feed_forward"}}};
  for (const auto& [part, group] : kGroups)
    if (name.find(part) != std::string::npos) return std::string(group);
  return "other";
}

/// Groups that have tensors, in a fixed order, with their norms.
MetricFields group_norms(const std::vector<optim::Parameter>& parameters) {
  std::vector<torch::Tensor> norms;
  for (const auto& parameter : parameters) norms.push_back(norm_of(parameter.tensor));
  const std::vector<double> values = to_host(norms);
  std::map<std::string, double> squares;
  for (size_t i = 0; i < values.size(); ++i) squares[group_of(parameters[i].name)] += values[i] * values[i];
  MetricFields fields;
  for (const auto& [group, sum] : squares) fields.emplace_back("weights/norm/" + group, std::sqrt(sum));
  return fields;
}

}  // namespace

std::vector<double> decayed_norms(const std::vector<optim::Parameter>& parameters) {
  std::vector<torch::Tensor> norms;
  for (const auto& parameter : parameters)
    if (parameter.decay) norms.push_back(norm_of(parameter.tensor));
  return to_host(norms);
}

double joint_norm(const std::vector<double>& norms) {
  double squares = 0;
  for (const double norm : norms) squares += norm * norm;
  return std::sqrt(squares);
}

std::string decayed_names_hash(const std::vector<optim::Parameter>& parameters) {
  std::string names;
  for (const auto& parameter : parameters)
    if (parameter.decay) names += parameter.name + "\n";
  return sha256_hex(names).substr(0, kHashDigits);
}

WeightMeter::WeightMeter(const std::vector<optim::Parameter>& parameters) : norms_(decayed_norms(parameters)) {
  for (const auto& parameter : parameters)
    if (parameter.decay) before_.push_back(parameter.tensor.detach().clone());
}

MetricFields WeightMeter::fields(const std::vector<optim::Parameter>& parameters,
                                 const optim::LearningRates& rates) const {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> changes, largest;
  size_t i = 0;
  for (const auto& parameter : parameters) {
    largest.push_back(parameter.tensor.detach().abs().max().to(torch::kFloat64));
    if (parameter.decay) changes.push_back(norm_of(parameter.tensor.detach() - before_[i++]));
  }
  const std::vector<double> updates = to_host(changes), maxima = to_host(largest);
  const double norm = joint_norm(norms_);
  MetricFields fields = {{"weights/lr", rates.base},
                         {"weights/lr_low_rank", rates.low_rank},
                         {"weights/norm", norm},
                         {"weights/effective_lr", rates.base / norm},
                         {"weights/relative_update", joint_norm(updates) / norm},
                         {"weights/max", maxima.empty() ? 0 : *std::max_element(maxima.begin(), maxima.end())}};
  for (auto& field : group_norms(parameters)) fields.push_back(std::move(field));
  fields.emplace_back("weights/norms", norms_);
  fields.emplace_back("weights/updates", updates);
  fields.emplace_back("weights/names", decayed_names_hash(parameters));
  return fields;
}

}  // namespace sst::run
