#include "methods/low_rank.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/text.hpp"
#include "tensor/random.hpp"

namespace sst::methods {

torch::Tensor kaiming_uniform(const nn::LinearSpec& spec, int64_t rows, const torch::Tensor& like, uint64_t seed,
                              uint64_t draw) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(spec.in));
  const CounterRng rng(seed, Stream::kMethod, combine(name_index(spec.name + ".kaiming"), draw));
  return tensor::uniform({rows, spec.in}, -bound, bound, rng, like.options().requires_grad(false));
}

nn::LinearSpec with_base(nn::LinearSpec spec, const std::string& base_init, bool auto_is_kaiming, uint64_t seed) {
  if (base_init == "kaiming_uniform" || (base_init == "auto" && auto_is_kaiming)) {
    // A column that the model starts at zero (the time entry of a Lorentz layer's input) stays at zero.
    const torch::Tensor used = (spec.initial_weight != 0).any(0);  // [in]
    spec.initial_weight = kaiming_uniform(spec, spec.out, spec.initial_weight, seed) * used;
  }
  return spec;
}

int64_t interval_steps(const recipe::Interval& interval, const recipe::StepUnits& step, const std::string& key) {
  if (const auto steps = interval.in_steps(step)) return *steps;
  throw UserError("'" + key + "' must be a number of steps, epochs, or tokens where there are any",
                  "a restart has to fall on the same step in every run: write 200 or 2epoch");
}

RateFactors Restarts::factors(int64_t step) const {
  const double since_restart = static_cast<double>(step % every) + 1;
  const double warm = warmup_steps > 0 ? std::min(1.0, since_restart / static_cast<double>(warmup_steps)) : 1.0;
  return {.base = scope_all ? warm : 1.0, .low_rank = warm};
}

std::shared_ptr<nn::LinearMap> LowRankMethod::make_linear(const nn::LinearSpec& spec) {
  if (replaces(spec)) return make_target(spec);
  return std::make_shared<nn::DenseLinear>(spec);
}

std::optional<size_t> target_of(const std::vector<std::string>& targets, const nn::LinearSpec& spec) {
  const auto found = std::find_if(targets.begin(), targets.end(), [&](const std::string& pattern) {
    return pattern == "*" ? spec.in_block : glob_match(pattern, spec.name);
  });
  if (found == targets.end()) return std::nullopt;
  return static_cast<size_t>(found - targets.begin());
}

}  // namespace sst::methods
