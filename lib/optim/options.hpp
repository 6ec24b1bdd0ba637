#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "recipe/words.hpp"

namespace sst::optim {

/// The names of the update rules, as in `optim.name`; the list itself is in registry.cpp.
std::vector<std::string> rule_names();

/// The recipe's section `optim`.
struct OptimOptions {
  std::string name = "adamw";
  double lr = 0;
  std::vector<double> betas = {0.9, 0.999};
  double momentum = 0.9;
  std::string second_moment = "row";
  std::string moment_transport = "square";
  double eps = 1e-8;
  double weight_decay = 0;
  double l2_penalty = 0;
  recipe::OneOrMany<std::string> weight_decay_on = {{"matrices"}};
  double grad_clip = 1;

  template <class Field>
  void describe(Field& field) {
    field(name, "name", recipe::one_of(rule_names()),
          "update rule; heavy_ball is sgd under its name in the low-rank literature; riemannian_* and lowrank_* also "
          "move "
          "points of the hyperboloid; lowrank_* move the matrices of method.name: lowrank as a whole");
    field(lr, "lr", recipe::positive().required(), "peak learning rate");
    field(betas, "betas", recipe::fraction_below_one().items(2, 2),
          "adam, adamw, riemannian_adam, lowrank_adam: decay rates of the first and second moment");
    field(momentum, "momentum", recipe::fraction_below_one(),
          "sgd, heavy_ball, riemannian_sgd, lowrank_heavy_ball*: share of the last step that goes on");
    field(second_moment, "second_moment", recipe::one_of({"row", "scalar", "coeff"}),
          "lowrank_adam: what the momentum of a low-rank matrix is divided by: mean squares of rows, one number, or "
          "squares of the entries of S");
    field(moment_transport, "moment_transport", recipe::one_of({"sqrt", "square"}),
          "lowrank_adam, coeff: how second moments follow a change of the bases");
    field(eps, "eps", recipe::positive(),
          "adam, adamw, riemannian_adam, lowrank_adam: added to the root of the second moment");
    field(weight_decay, "weight_decay", recipe::at_least(0),
          "decoupled for adamw, lowrank_* and the Euclidean tensors of riemannian_*; added to the gradient, after "
          "clipping, for the others");
    field(l2_penalty, "l2_penalty", recipe::at_least(0),
          "adds 2 * l2_penalty * w to the gradient before clipping, on the tensors of weight_decay_on");
    field(weight_decay_on, "weight_decay_on", recipe::anything().items(1, 64),
          "matrices (tensors with two dimensions or more), all, or globs on tensor names; never points of a "
          "manifold");
    field(grad_clip, "grad_clip", recipe::at_least(0), "largest global L2 norm of the gradients; 0 = off");
  }
};

/// Whether a Euclidean tensor takes part in weight decay. `matrix` is true for what counts as one: a tensor
/// with two dimensions or more, or what a method trains in place of one (σ of a spectral layer; its U and V
/// do not count).
bool takes_weight_decay(const OptimOptions& options, const std::string& name, bool matrix);

}  // namespace sst::optim
