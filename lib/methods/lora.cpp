#include "methods/lora.hpp"

#include <algorithm>

namespace sst::methods {

AdapterLinear::Options AdapterOptions::adapter(const nn::LinearSpec& spec) const {
  const int64_t clipped = std::min({rank, spec.in, spec.out});
  return {.rank = clipped, .alpha = alpha.value_or(static_cast<double>(clipped)), .dropout = dropout};
}

std::shared_ptr<AdapterLinear> make_adapter(const nn::LinearSpec& spec, const LoraOptions& options, uint64_t seed) {
  const auto adapter = options.adapter(spec);
  return std::make_shared<AdapterLinear>(with_base(spec, options.base_init, /*auto_is_kaiming=*/false, seed), adapter,
                                         kaiming_uniform(spec, adapter.rank, spec.initial_weight, seed, /*draw=*/1));
}

std::shared_ptr<nn::LinearMap> Lora::make_target(const nn::LinearSpec& spec) {
  return make_adapter(spec, options_, context().seed);
}

}  // namespace sst::methods
