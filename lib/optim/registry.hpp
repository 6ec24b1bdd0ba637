#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/registry.hpp"
#include "optim/options.hpp"
#include "optim/update_rule.hpp"

namespace sst::optim {

using RuleMaker = std::function<std::unique_ptr<UpdateRule>(const OptimOptions&)>;

/// Every update rule, in the order the documentation lists them.
const Registry<RuleMaker>& rules();

/// The rule that `options.name` names. Throws UserError for an unknown name.
std::unique_ptr<UpdateRule> make_rule(const OptimOptions& options);

/// Throws UserError when the rule and the model do not belong together: points of the hyperboloid need a rule
/// that moves them, and such a rule is refused for a model of Euclidean geometry, where it would be AdamW or
/// SGD under a misleading name.
///   lorentz_model   the model's geometry      has_points   it trains tensors of points (not every Lorentz
///   model does)
void check_rule_fits(const std::string& rule_name, bool lorentz_model, bool has_points);

}  // namespace sst::optim
