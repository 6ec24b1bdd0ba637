#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/factored_linear.hpp"
#include "methods/low_rank.hpp"

namespace sst::methods {

struct LowRankWeightOptions : LowRankOptions {
  std::optional<std::vector<int64_t>> ranks;  ///< of each of `targets`; not given: rank
  double tolerance = 0;
  std::string tolerance_mode = "relative";
  int64_t rank_min = 2;
  std::optional<int64_t> rank_max;  ///< not given: the smaller side
  int64_t inner_steps = 1;
  recipe::Interval freeze_rank_after = recipe::Interval::off();
  std::string factors = "usv";
  std::string init = "svd";

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    LowRankOptions::describe(field);
    field(ranks, "ranks", at_least(1),
          "rank for each of targets, in their order, in place of rank; a map takes that of the first that names it");
    field(tolerance, "tolerance", at_least(0),
          "norm of the singular values that may be cut after a step of a lowrank_* optimizer; 0: the rank is fixed");
    field(tolerance_mode, "tolerance_mode", one_of({"relative", "absolute"}),
          "relative: the tolerance is a share of the norm of all singular values");
    field(rank_min, "rank_min", at_least(1), "smallest rank that truncation leaves");
    field(rank_max, "rank_max", at_least(1), "largest rank, for which memory is set aside; default: the smaller side");
    field(inner_steps, "inner_steps", at_least(1),
          "steps on S alone between two changes of the bases (lowrank_heavy_ball_galerkin, lowrank_adam with coeff)");
    field(freeze_rank_after, "freeze_rank_after", anything(), "from this step on the rank stays what it is");
    field(factors, "factors", one_of({"usv", "ba"}),
          "W = U S V^T or W = B A; with an optimizer that is not lowrank_* the factors train as they are");
    field(init, "init", one_of({"svd", "orthonormal", "adapter"}),
          "svd: best approximation of the initial matrix; orthonormal: random bases with its singular values; adapter: "
          "the initial matrix, frozen, beside random bases with S = 0");
  }
};

/// The weight itself has low rank: W = U S Vᵀ. With a lowrank_* optimizer it moves as one matrix, by projections on the
/// tangent space, augmented bases and truncation, with a rank that may follow a tolerance; with any other optimizer the
/// factors train as they are, the baseline that stalls near small singular values. The algorithms are derived, see
/// optim/low_rank_heavy_ball.hpp; they follow the abstract of Schotthöfer, Klein & Kusch, arXiv 2506.17475.
class Factored final : public LowRankMethod {
 public:
  /// Throws UserError when ranks and factors do not fit together.
  Factored(const LowRankWeightOptions& options, MethodContext context);

  int64_t rank_of(const nn::LinearSpec& spec) const override;
  /// An adapter's product stands beside a whole matrix.
  bool keeps_factors() const override { return options_.init != "adapter"; }
  void check_rule(const optim::UpdateRule& rule) const override;
  std::optional<Refusal> why_not_recorded() const override;
  std::vector<std::string> keys_of_states() const override { return {"method.inner_steps"}; }
  void attach(optim::Optimizer& optimizer) override;
  void before_step(int64_t step, optim::Optimizer& optimizer) override;
  void after_step(int64_t step, optim::Optimizer& optimizer) override;

 protected:
  std::shared_ptr<nn::LinearMap> make_target(const nn::LinearSpec& spec) override;

 private:
  int64_t sum_of_ranks() const;

  LowRankWeightOptions options_;
  std::optional<int64_t> freeze_after_;
  std::vector<std::shared_ptr<FactoredLinear>> layers_;
  std::vector<std::shared_ptr<optim::LowRankMatrix>> matrices_;  ///< those of `layers_` that move as one
  int64_t ranks_before_ = 0;
};

}  // namespace sst::methods
