#include "nn/build.hpp"

namespace sst::nn {

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
