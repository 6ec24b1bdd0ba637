#include "methods/factored.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace sst::methods {

Factored::Factored(const LowRankWeightOptions& options, MethodContext context)
    : LowRankMethod(options, context), options_(options) {
  if (!options.freeze_rank_after.is_off())
    freeze_after_ = interval_steps(options.freeze_rank_after, context.step, "method.freeze_rank_after");
  if (options.ranks && options.ranks->size() != options.targets.size())
    throw UserError("'method.ranks' has " + std::to_string(options.ranks->size()) +
                        " entries, but 'method.targets' has " + std::to_string(options.targets.size()),
                    "give one rank for each target");
  const int64_t most = options.rank_max.value_or(INT64_MAX);
  if (options.tolerance > 0 && options.rank_min > most)
    throw UserError("'method.rank_min' is " + std::to_string(options.rank_min) + ", more than 'method.rank_max'",
                    "use at most " + std::to_string(most));
  if (options.tolerance > 0 && options.rank > most)
    throw UserError("'method.rank' is " + std::to_string(options.rank) + ", more than 'method.rank_max'",
                    "the rank starts at method.rank: use at most " + std::to_string(most));
}

int64_t Factored::rank_of(const nn::LinearSpec& spec) const {
  const auto target = target_of(options_.targets, spec);
  if (!target) return 0;
  return options_.ranks ? options_.ranks->at(*target) : options_.rank;
}

void Factored::check_rule(const optim::UpdateRule& rule) const {
  if (rule.moves_low_rank() && options_.factors == "ba")
    throw UserError("'optim.name' moves matrices held as U S V^T, but 'method.factors' is ba",
                    "use method.factors: usv, or a plain optimizer such as adamw or heavy_ball");
  if (!rule.moves_low_rank() && (options_.tolerance > 0 || freeze_after_))
    throw UserError("only the lowrank_* optimizers change the rank, but 'optim.name' is none of them",
                    "use optim.name: lowrank_adam or lowrank_heavy_ball, or remove method.tolerance and "
                    "method.freeze_rank_after");
  if (options_.inner_steps > 1 && !rule.takes_inner_steps())
    throw UserError("'method.inner_steps' is " + std::to_string(options_.inner_steps) +
                        ", but this optimizer changes the bases at every step",
                    "use lowrank_heavy_ball_galerkin, or lowrank_adam with optim.second_moment: coeff");
}

std::optional<Refusal> Factored::why_not_recorded() const {
  if (options_.tolerance == 0 && options_.inner_steps == 1) return std::nullopt;
  return Refusal{"method.name", "records the rank too, which 'method.tolerance' or 'method.inner_steps' let change",
                 "use method.tolerance: 0 and method.inner_steps: 1"};
}

std::shared_ptr<nn::LinearMap> Factored::make_target(const nn::LinearSpec& spec) {
  const FactoredOptions made = {.rank = rank_of(spec),
                                .init = options_.init == "svd"           ? FactoredInit::kSvd
                                        : options_.init == "orthonormal" ? FactoredInit::kOrthonormal
                                                                         : FactoredInit::kAdapter,
                                .truncation = {.tolerance = options_.tolerance,
                                               .relative = options_.tolerance_mode == "relative",
                                               .rank_min = options_.rank_min,
                                               .rank_max = options_.rank_max.value_or(std::min(spec.in, spec.out))},
                                .inner_steps = options_.inner_steps,
                                .seed = context().seed};
  if (options_.factors == "ba") return std::make_shared<ProductLinear>(spec, made);
  layers_.push_back(std::make_shared<FactoredLinear>(spec, made));
  return layers_.back();
}

void Factored::attach(optim::Optimizer& optimizer) {
  check_rule(optimizer.rule());
  if (!optimizer.rule().moves_low_rank()) return;
  for (const auto& layer : layers_) {
    matrices_.push_back(layer->train_as_one());
    optimizer.join(layer->spec().name + ".", matrices_.back());
  }
}

int64_t Factored::sum_of_ranks() const {
  int64_t sum = 0;
  for (const auto& matrix : matrices_) sum += matrix->rank();
  return sum;
}

void Factored::before_step(int64_t step, optim::Optimizer&) {
  for (const auto& matrix : matrices_) matrix->truncation.frozen = freeze_after_ && step >= *freeze_after_;
  ranks_before_ = sum_of_ranks();
}

void Factored::after_step(int64_t /*step*/, optim::Optimizer&) {
  const int64_t ranks = sum_of_ranks();
  if (ranks == ranks_before_) return;
  record({.name = "method_rank",
          .values = {{"method/mean_rank", static_cast<double>(ranks) / static_cast<double>(matrices_.size())}}});
}

}  // namespace sst::methods
