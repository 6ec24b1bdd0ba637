#include "optim/registry.hpp"

#include <fmt/format.h>

#include "optim/adam.hpp"
#include "optim/low_rank_adam.hpp"
#include "optim/low_rank_heavy_ball.hpp"
#include "optim/riemannian_adam.hpp"
#include "optim/riemannian_sgd.hpp"
#include "optim/sgd.hpp"

namespace sst::optim {

namespace {

AdamOptions adam_options(const OptimOptions& options, bool decoupled_decay) {
  return {.beta1 = options.betas[0], .beta2 = options.betas[1], .eps = options.eps, .decoupled_decay = decoupled_decay};
}

std::unique_ptr<UpdateRule> make_sgd(const OptimOptions& options) {
  return std::make_unique<Sgd>(SgdOptions{.momentum = options.momentum});
}

std::unique_ptr<UpdateRule> make_low_rank_adam(const OptimOptions& options) {
  return std::make_unique<LowRankAdam>(LowRankAdamOptions{
      .adam = adam_options(options, /*decoupled_decay=*/true),
      .second_moment = options.second_moment == "row"      ? SecondMoment::kRow
                       : options.second_moment == "scalar" ? SecondMoment::kScalar
                                                           : SecondMoment::kCoefficient,
      .transport = options.moment_transport == "sqrt" ? MomentTransport::kSqrt : MomentTransport::kSquare});
}

Registry<RuleMaker> list_rules() {
  Registry<RuleMaker> list("optimizer");
  list.add("adamw", [](const OptimOptions& options) { return std::make_unique<Adam>(adam_options(options, true)); });
  list.add("adam", [](const OptimOptions& options) { return std::make_unique<Adam>(adam_options(options, false)); });
  list.add("sgd", make_sgd);
  list.add("heavy_ball", make_sgd);
  list.add("riemannian_adam",
           [](const OptimOptions& options) { return std::make_unique<RiemannianAdam>(adam_options(options, true)); });
  list.add("riemannian_sgd",
           [](const OptimOptions& options) { return std::make_unique<RiemannianSgd>(options.momentum); });
  list.add("lowrank_adam", make_low_rank_adam);
  list.add("lowrank_heavy_ball",
           [](const OptimOptions& options) { return std::make_unique<LowRankHeavyBall>(options.momentum); });
  list.add("lowrank_heavy_ball_galerkin",
           [](const OptimOptions& options) { return std::make_unique<LowRankHeavyBallGalerkin>(options.momentum); });
  return list;
}

}  // namespace

const Registry<RuleMaker>& rules() {
  static const Registry<RuleMaker> list = list_rules();
  return list;
}

std::vector<std::string> rule_names() { return rules().names(); }

std::unique_ptr<UpdateRule> make_rule(const OptimOptions& options) {
  require(options.betas.size() == 2, "optim.betas needs two numbers");
  return rules().at(options.name)(options);
}

void check_rule_fits(const std::string& rule_name, bool lorentz_model, bool has_points) {
  const auto rule = rules().at(rule_name)(OptimOptions{});
  const bool riemannian = rule->moves_on_manifolds();
  const std::string other = rule_name == "sgd" || rule_name == "heavy_ball" ? "riemannian_sgd" : "riemannian_adam";
  if (has_points && !riemannian)
    throw UserError(
        fmt::format("'optim.name' is '{}', but this model trains points of the hyperboloid, which it cannot move",
                    rule_name),
        fmt::format("use {}", other));
  if (!lorentz_model && riemannian && !rule->moves_low_rank())
    throw UserError(
        fmt::format("'optim.name' is '{}', but this model is Euclidean and has nothing to move on a manifold",
                    rule_name),
        rule_name == "riemannian_sgd" ? "use sgd" : "use adamw, which does the same to Euclidean tensors");
}

}  // namespace sst::optim
