#include "methods/lora.hpp"

#include <algorithm>

namespace sst::methods {

std::shared_ptr<AdapterLinear> make_adapter(const nn::LinearSpec& spec, const LoraOptions& options, uint64_t seed) {
  const int64_t rank = std::min({options.rank, spec.in, spec.out});
  return std::make_shared<AdapterLinear>(
      with_base(spec, options.base_init, /*auto_is_kaiming=*/false, seed),
      AdapterLinear::Options{
          .rank = rank, .alpha = options.alpha.value_or(static_cast<double>(rank)), .dropout = options.dropout},
      kaiming_uniform(spec, rank, spec.initial_weight, seed, /*draw=*/1));
}

std::shared_ptr<nn::LinearMap> Lora::make_target(const nn::LinearSpec& spec) {
  return make_adapter(spec, options_, context().seed);
}

}  // namespace sst::methods
