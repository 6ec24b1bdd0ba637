#include "tasks/kept_activations.hpp"

namespace sst::tasks {

KeptActivations measure_activations(const std::function<double(int64_t, bool)>& alive_after, int64_t few, int64_t more,
                                    bool recomputes, int64_t blocks) {
  const auto measure = [&](bool recompute) -> KeptActivations {
    // Copies in the compute type and the like are made the first time, and stay.
    const double first = alive_after(few, recompute), less = alive_after(few, recompute);
    const double per_sample = (alive_after(more, recompute) - less) / static_cast<double>(more - few);
    return {.per_sample = per_sample, .fixed = first - per_sample * static_cast<double>(few)};
  };
  KeptActivations kept = measure(recomputes);
  if (recomputes) kept.inside_block = measure(false).per_sample / static_cast<double>(blocks);
  return kept;
}

}  // namespace sst::tasks
