#include "run/averages.hpp"

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"
#include "nn/linear.hpp"
#include "recipe/scalars.hpp"
#include "tensor/lorentz.hpp"

namespace sst::run {
namespace {

torch::Tensor at_least_float32(const torch::Tensor& tensor) {
  const bool is_wide = !tensor.is_floating_point() || tensor.element_size() >= 4;
  return tensor.to(is_wide ? tensor.scalar_type() : torch::kFloat32, /*non_blocking=*/false, /*copy=*/true);
}

}  // namespace

std::string average_name(double decay) { return "ema_" + recipe::format_number(decay); }

std::vector<std::string> Averages::names() const {
  std::vector<std::string> names;
  for (const double decay : decays_) names.push_back(average_name(decay));
  return names;
}

void Averages::start(const torch::nn::Module& model) {
  if (decays_.empty()) return;
  nn::for_each_dense_tensor(model, [&](const std::string& name, const torch::Tensor& tensor) {
    for (const auto& average : names()) tensors_[average + "/" + name] = at_least_float32(tensor);
  });
}

void Averages::update_(const torch::nn::Module& model, int64_t step) {
  if (decays_.empty()) return;
  const double warm_up = static_cast<double>(1 + step) / static_cast<double>(10 + step);
  nn::for_each_dense_tensor(model, [&](const std::string& name, const torch::Tensor& tensor) {
    for (const double decay : decays_) {
      torch::Tensor& average = tensors_.at(average_name(decay) + "/" + name);
      if (average.is_floating_point())
        average.lerp_(tensor.to(average.scalar_type()), 1 - std::min(decay, warm_up));
      else
        average.copy_(tensor);
    }
  });
}

void Averages::load_state_dict(const tensor::NamedTensors& tensors, const torch::nn::Module& model) {
  Averages fresh(decays_);
  fresh.start(model);
  for (auto& [name, average] : fresh.tensors_) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.sizes() != average.sizes())
      throw CheckpointError("the checkpoint has no average '" + name + "' of this shape",
                            "it was written by another recipe");
    average.copy_(found->second);
  }
  if (tensors.size() != fresh.tensors_.size())
    throw CheckpointError("the checkpoint holds averages that train.ema does not name",
                          "it was written by another recipe");
  tensors_ = std::move(fresh.tensors_);
}

tensor::NamedTensors averaged_tensors(const tensor::NamedTensors& averages, const std::string& name,
                                      const std::vector<std::string>& points) {
  std::set<std::string> known;
  for (const auto& [key, tensor] : averages) known.insert(key.substr(0, key.find('/')));
  if (known.empty())
    throw UserError("there are no averaged weights '" + name + "' in this checkpoint", "train with train.ema: 0.999");
  const std::string chosen = name == "ema" && known.size() == 1 ? *known.begin() : name;
  if (!known.contains(chosen)) {
    throw UserError("there are no averaged weights '" + name + "' in this checkpoint",
                    "there are " + join({known.begin(), known.end()}, ", "));
  }
  const torch::NoGradGuard no_grad;
  tensor::NamedTensors tensors;
  for (const auto& [key, tensor] : averages)
    if (starts_with(key, chosen + "/")) tensors[key.substr(chosen.size() + 1)] = tensor;
  for (const std::string& point : points) tensors.at(point) = tensor::lorentz::normalise(tensors.at(point));
  return tensors;
}

}  // namespace sst::run
