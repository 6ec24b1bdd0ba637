#include "optim/options.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace sst::optim {

bool takes_weight_decay(const OptimOptions& options, const std::string& name, bool matrix) {
  const auto& patterns = options.weight_decay_on.values;
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (pattern == "matrices") return matrix;
    return pattern == "all" || glob_match(pattern, name);
  });
}

}  // namespace sst::optim
