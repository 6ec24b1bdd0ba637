#pragma once

#include <string>
#include <vector>

#include "optim/optimizer.hpp"

namespace sst::optim {

struct GradientNorm {
  double norm = 0;         ///< Euclidean, over all gradients together, before clipping
  bool clipped = false;    ///< the gradients were scaled down
  std::string non_finite;  ///< the first tensor whose gradient has an infinity or NaN; empty when all are finite
};

/// Measures the gradients that the optimizer will use (tensors without one are left out) and scales them by
/// min(1, max_norm / (norm + 1e-6)); max_norm 0 only measures. Squares are summed in double, in an order that
/// does not depend on the number of threads. Gradients that are not finite stay as they are.
/// Of sharded tensors every one of `sharers` has its shard of the gradient; all get the same answer.
///   source    the form of torch.nn.utils.clip_grad_norm_, as in the published HyboNet code
GradientNorm clip_gradients_(const std::vector<Parameter>& parameters, double max_norm,
                             const dist::Group& sharers = dist::Group());

/// gradient ← gradient + 2 · l2 · w for the tensors that take part in weight decay: the gradient of l2 ·
/// ‖w‖², to be added before clipping.
void add_l2_penalty_(const std::vector<Parameter>& parameters, double l2);

}  // namespace sst::optim
