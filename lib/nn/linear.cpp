#include "nn/linear.hpp"

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"
#include "tensor/shape.hpp"

namespace sst::nn {
namespace {

/// Calls visit(module, prefix) for `module` and all below it; prefix is "" or ends in a dot.
template <class Visit>
void walk(const torch::nn::Module& module, const std::string& prefix, const Visit& visit) {
  visit(module, prefix);
  for (const auto& child : module.named_children()) walk(*child.value(), prefix + child.key() + ".", visit);
}

}  // namespace

LinearMap::LinearMap(const LinearSpec& spec) : spec_(spec) {
  require(spec.initial_weight.defined(), "linear map '" + spec.name + "' was asked for without an initial weight");
  tensor::check_shape(spec.initial_weight, {spec.out, spec.in}, "initial weight of '" + spec.name + "'");
  spec_.initial_weight.reset();  // not kept alive beside the trained one
  if (spec.bias) bias_ = register_parameter("bias", torch::zeros({spec.out}, spec.initial_weight.options()));
}

torch::Tensor LinearMap::forward(const torch::Tensor& x, const Pass& pass) {
  if (x.dim() == 2) return forward(tensor::Rows(x), pass);
  std::vector<int64_t> shape = x.sizes().vec();
  require(!shape.empty(), "linear map '" + spec_.name + "' was given a scalar");
  const torch::Tensor rows = x.reshape({-1, shape.back()});
  Pass mine = pass;
  if (x.dim() > 2) mine.rows_per_sequence = rows.size(0) / std::max<int64_t>(1, shape.front());
  const torch::Tensor y = forward(tensor::Rows(rows), mine);  // [rows, out]
  shape.back() = spec_.out;
  return y.view(shape);
}

torch::Tensor LinearMap::forward(const tensor::Rows& x, const Pass& pass) {
  if (!substitute_.defined()) return apply(x, pass);
  return affine(in_compute_type(x, pass), in_compute_type(substitute_, pass), in_compute_type(bias_, pass));
}

DenseLinear::DenseLinear(const LinearSpec& spec) : LinearMap(spec) {
  weight_ = register_parameter("weight", spec.initial_weight.detach().clone());
}

void DenseLinear::set_dense_weight(const torch::Tensor& weight) {
  tensor::check_shape(weight, {spec().out, spec().in}, "weight of '" + spec().name + "'");
  const torch::NoGradGuard no_grad;
  weight_.copy_(weight);
}

torch::Tensor DenseLinear::apply(const tensor::Rows& x, const Pass& pass) {
  return affine(in_compute_type(x, pass), compute_weight_.of(weight_, pass), in_compute_type(bias(), pass));
}

torch::Tensor affine(const tensor::Rows& x, const torch::Tensor& weight, const torch::Tensor& bias) {
  if (!x.is_sparse()) return torch::linear(x.dense(), weight, bias);
  const torch::Tensor y = x.matmul(weight.t());  // [rows, out]
  return bias.defined() ? y + bias : y;
}

LinearFactory dense_factory() {
  return [](const LinearSpec& spec) { return std::make_shared<DenseLinear>(spec); };
}

std::vector<NamedTensor> trainable_tensors(const torch::nn::Module& module) {
  std::vector<NamedTensor> tensors;
  walk(module, "", [&](const torch::nn::Module& part, const std::string& prefix) {
    for (const auto& parameter : part.named_parameters(/*recurse=*/false))
      if (parameter.value().requires_grad()) tensors.push_back({prefix + parameter.key(), parameter.value()});
    if (const auto* map = dynamic_cast<const LinearMap*>(&part))
      for (const NamedTensor& view : map->active_views()) tensors.push_back({prefix + view.name, view.tensor});
  });
  return tensors;
}

std::vector<NamedTensor> stored_tensors(const torch::nn::Module& module) {
  std::vector<NamedTensor> tensors;
  walk(module, "", [&](const torch::nn::Module& part, const std::string& prefix) {
    for (const auto& parameter : part.named_parameters(/*recurse=*/false))
      tensors.push_back({prefix + parameter.key(), parameter.value()});
    for (const auto& buffer : part.named_buffers(/*recurse=*/false))
      tensors.push_back({prefix + buffer.key(), buffer.value()});
  });
  return tensors;
}

namespace {

/// Calls visit(name, tensor, map or nullptr) for every tensor of dense_tensors(); a map's matrix comes undefined.
template <class Visit>
void walk_dense(const torch::nn::Module& module, const std::string& prefix, const Visit& visit) {
  const auto* map = dynamic_cast<const LinearMap*>(&module);
  if (map != nullptr) {
    visit(prefix + "weight", torch::Tensor(), map);
    if (map->bias().defined()) visit(prefix + "bias", map->bias(), nullptr);
    return;
  }
  for (const auto& parameter : module.named_parameters(/*recurse=*/false))
    visit(prefix + parameter.key(), parameter.value(), nullptr);
  for (const auto& buffer : module.named_buffers(/*recurse=*/false))
    visit(prefix + buffer.key(), buffer.value(), nullptr);
  for (const auto& child : module.named_children()) walk_dense(*child.value(), prefix + child.key() + ".", visit);
}

}  // namespace

void for_each_dense_tensor(const torch::nn::Module& module,
                           const std::function<void(const std::string&, const torch::Tensor&)>& visit) {
  const torch::NoGradGuard no_grad;
  walk_dense(module, "", [&](const std::string& name, const torch::Tensor& tensor, const LinearMap* map) {
    visit(name, map != nullptr ? map->dense_weight() : tensor.detach());
  });
}

std::vector<NamedTensor> dense_tensors(const torch::nn::Module& module) {
  std::vector<NamedTensor> tensors;
  for_each_dense_tensor(module, [&](const std::string& name, const torch::Tensor& tensor) {
    tensors.push_back({name, tensor});
  });
  return tensors;
}

namespace {

/// One of a module's dense tensors beside the value that it is to have.
struct DensePart {
  LinearMap* map = nullptr;  ///< whose matrix it is; null for a tensor of the module itself
  torch::Tensor tensor, value;
};

/// Throws CheckpointError naming every tensor that is missing, unknown or of another shape.
std::vector<DensePart> matched_parts(torch::nn::Module& module, const std::map<std::string, torch::Tensor>& tensors) {
  std::vector<DensePart> parts;
  std::vector<std::string> faults;
  std::set<std::string> known;
  walk_dense(module, "", [&](const std::string& name, const torch::Tensor& tensor, const LinearMap* map) {
    known.insert(name);
    const auto found = tensors.find(name);
    const std::vector<int64_t> shape =
        map != nullptr ? std::vector{map->spec().out, map->spec().in} : tensor.sizes().vec();
    if (found == tensors.end())
      faults.push_back("'" + name + "' is missing");
    else if (found->second.sizes() != torch::IntArrayRef(shape))
      faults.push_back("'" + name + "' has another shape");
    else
      parts.push_back({const_cast<LinearMap*>(map), tensor, found->second});
  });
  for (const auto& [name, value] : tensors)
    if (known.count(name) == 0) faults.push_back("'" + name + "' is unknown");
  if (!faults.empty())
    throw CheckpointError("the tensors do not fit the model: " + join(faults, ", "),
                          "they must come from a model of the same family and sizes");
  return parts;
}

}  // namespace

void load_dense_tensors(torch::nn::Module& module, const std::map<std::string, torch::Tensor>& tensors) {
  const auto parts = matched_parts(module, tensors);
  const torch::NoGradGuard no_grad;
  for (const DensePart& part : parts) {
    if (part.map != nullptr)
      part.map->set_dense_weight(part.value);
    else
      part.tensor.detach().copy_(part.value);
  }
}

Substitution::Substitution(torch::nn::Module& module, const std::map<std::string, torch::Tensor>& tensors) {
  const torch::NoGradGuard no_grad;
  for (const DensePart& part : matched_parts(module, tensors)) {
    if (part.map != nullptr) {
      part.map->substitute(part.value.to(part.map->parameters().front().options()));
      maps_.push_back(part.map);
    } else {
      own_.emplace_back(part.tensor.detach(), part.tensor.detach().clone());
      own_.back().first.copy_(part.value);
    }
  }
}

Substitution::~Substitution() {
  for (LinearMap* map : maps_) map->substitute({});
  const torch::NoGradGuard no_grad;
  for (const auto& [tensor, values] : own_) tensor.copy_(values);
}

}  // namespace sst::nn
