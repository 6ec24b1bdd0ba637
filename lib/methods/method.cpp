#include "methods/method.hpp"

#include "core/error.hpp"

namespace sst::methods {

void Method::check_rule(const optim::UpdateRule& rule) const {
  if (rule.moves_low_rank())
    throw UserError("'optim.name' is for matrices held as U S V^T, which this method does not make",
                    "use method.name: lowrank, or another optimizer, such as adamw or riemannian_adam");
}

}  // namespace sst::methods
