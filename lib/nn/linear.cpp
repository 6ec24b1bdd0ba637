#include "nn/linear.hpp"

#include "core/error.hpp"
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
  if (x.dim() == 2) return apply(x, pass);
  std::vector<int64_t> shape = x.sizes().vec();
  require(!shape.empty(), "linear map '" + spec_.name + "' was given a scalar");
  const torch::Tensor y = apply(x.reshape({-1, shape.back()}), pass);  // [rows, out]
  shape.back() = spec_.out;
  return y.view(shape);
}

DenseLinear::DenseLinear(const LinearSpec& spec) : LinearMap(spec) {
  weight_ = register_parameter("weight", spec.initial_weight.detach().clone());
}

void DenseLinear::set_dense_weight(const torch::Tensor& weight) {
  tensor::check_shape(weight, {spec().out, spec().in}, "weight of '" + spec().name + "'");
  const torch::NoGradGuard no_grad;
  weight_.copy_(weight);
}

torch::Tensor DenseLinear::apply(const tensor::Rows& x, const Pass&) {
  if (!x.is_sparse()) return torch::linear(x.dense(), weight_, bias());
  const torch::Tensor y = x.matmul(weight_.t());  // [rows, out]
  return bias().defined() ? y + bias() : y;
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

}  // namespace sst::nn
