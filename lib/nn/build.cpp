#include "nn/build.hpp"

#include "tensor/random.hpp"

namespace sst::nn {

std::shared_ptr<LinearMap> normal_linear(const Build& build, LinearSpec spec, double deviation) {
  spec.initial_weight =
      tensor::normal({spec.out, spec.in}, 0, deviation, build.init_rng(spec.name + ".weight"), build.tensors);
  return build.linear(spec);
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
