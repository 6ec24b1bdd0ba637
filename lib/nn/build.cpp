#include "nn/build.hpp"

#include <cmath>

#include "tensor/random.hpp"

namespace sst::nn {
namespace {

torch::Tensor xavier_uniform(torch::IntArrayRef shape, const CounterRng& draws, const torch::TensorOptions& options) {
  const double bound = std::sqrt(6 / static_cast<double>(shape[0] + shape[1]));
  return tensor::uniform(shape, -bound, bound, draws, options);
}

}  // namespace

torch::Tensor Build::by_scheme(torch::IntArrayRef shape, const std::string& name) const {
  if (init.kind == InitScheme::Kind::kZero) return torch::zeros(shape, tensors);
  if (init.kind == InitScheme::Kind::kNormal) return tensor::normal(shape, 0, init.deviation, init_rng(name), tensors);
  return xavier_uniform(shape, init_rng(name), tensors);
}

torch::Tensor Build::xavier_matrix(torch::IntArrayRef shape, const std::string& name) const {
  return initial_matrix(shape, name, xavier_uniform);
}

torch::Tensor Build::normal_matrix(torch::IntArrayRef shape, const std::string& name, double deviation) const {
  return initial_matrix(shape, name, [&](torch::IntArrayRef size, const CounterRng& draws, const auto& options) {
    return tensor::normal(size, 0, deviation, draws, options);
  });
}

std::shared_ptr<LinearMap> normal_linear(const Build& build, LinearSpec spec, double deviation) {
  spec.initial_weight = build.normal_matrix({spec.out, spec.in}, spec.name + ".weight", deviation);
  return build.linear(spec);
}

std::shared_ptr<LinearMap> xavier_linear(const Build& build, LinearSpec spec) {
  spec.initial_weight = build.xavier_matrix({spec.out, spec.in}, spec.name + ".weight");
  const std::shared_ptr<LinearMap> map = build.linear(spec);
  if (spec.bias) {
    const torch::NoGradGuard no_grad;
    const double bound = 1 / std::sqrt(static_cast<double>(spec.in));
    torch::Tensor(map->bias())
        .copy_(tensor::uniform({spec.out}, -bound, bound, build.init_rng(spec.name + ".bias"), build.tensors));
  }
  return map;
}

std::vector<LinearSpec> recorded_maps(const std::function<void(const Build&)>& make) {
  std::vector<LinearSpec> maps;
  make({.linear =
            [&](const LinearSpec& spec) {
              maps.push_back(spec);
              return std::make_shared<DenseLinear>(spec);
            },
        .tensors = torch::TensorOptions(torch::kFloat32).device(torch::kMeta)});
  return maps;
}

}  // namespace sst::nn
