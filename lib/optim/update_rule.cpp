#include "optim/update_rule.hpp"

#include "core/error.hpp"
#include "optim/low_rank_matrix.hpp"

namespace sst::optim {

using torch::Tensor;

void UpdateRule::update_(Tensor parameter, const Tensor& gradient, State& state, double lr, double decay) const {
  const bool coupled = decay != 0 && !decay_is_decoupled();
  const Tensor step = direction(coupled ? gradient.add(parameter, decay) : gradient, state);
  if (decay != 0 && !coupled) parameter.mul_(1 - lr * decay);
  parameter.sub_(step, lr);
}

void UpdateRule::update_all_(const std::vector<Update>& updates) const {
  for (const Update& update : updates)
    update_(update.parameter, update.gradient, *update.state, update.lr, update.decay);
}

void UpdateRule::update_on_manifold_(Tensor, const Tensor&, State&, double) const {
  require(false, "this update rule cannot move points of the hyperboloid");
}

Moments UpdateRule::zero_low_rank_moments(const LowRankMatrix&) const {
  require(false, "this update rule cannot move a matrix of low rank");
  return {};
}

void UpdateRule::update_low_rank_(LowRankMatrix&, State&, double, double) const {
  require(false, "this update rule cannot move a matrix of low rank");
}

}  // namespace sst::optim
