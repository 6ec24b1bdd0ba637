#include "nn/build.hpp"

#include <cmath>

#include "tensor/random.hpp"

namespace sst::nn {

torch::Tensor Build::by_scheme(torch::IntArrayRef shape, const std::string& name) const {
  if (init.kind == InitScheme::Kind::kNormal) return tensor::normal(shape, 0, init.deviation, init_rng(name), tensors);
  const double bound = std::sqrt(6 / static_cast<double>(shape[0] + shape[1]));
  return tensor::uniform(shape, -bound, bound, init_rng(name), tensors);
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

torch::Tensor xavier_uniform(const Build& build, int64_t rows, int64_t cols, const std::string& tensor_name) {
  const double bound = std::sqrt(6.0 / static_cast<double>(rows + cols));
  return tensor::uniform({rows, cols}, -bound, bound, build.init_rng(tensor_name), build.tensors);
}

std::shared_ptr<LinearMap> xavier_linear(const Build& build, LinearSpec spec) {
  spec.initial_weight = xavier_uniform(build, spec.out, spec.in, spec.name + ".weight");
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
