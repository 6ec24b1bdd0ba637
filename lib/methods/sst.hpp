#pragma once

#include "methods/low_rank.hpp"
#include "methods/spectral_linear.hpp"

namespace sst::methods {

struct SstOptions : LowRankOptions {
  recipe::Interval iteration_interval = recipe::Interval::steps(200);
  recipe::OrWord<int64_t> iterations_per_round = {.value = std::nullopt, .word = "auto"};
  std::string sampling = "multinomial";
  std::string gradient = "enhanced";
  std::string train_sigma = "all";
  std::string init = "svd";
  std::string base_init = "auto";
  std::string execution = "auto";
  std::string svd = "exact";
  int64_t restart_warmup_steps = 20;
  std::string restart_warmup_scope = "lowrank";

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    LowRankOptions::describe(field);
    field(iteration_interval, "iteration_interval", anything(),
          "T3: optimizer steps between samplings of singular vectors");
    field(iterations_per_round, "iterations_per_round", at_least(1).or_word("auto"),
          "T2: samplings between re-decompositions; auto: max(1, round(hidden_size / rank))");
    field(sampling, "sampling", one_of({"multinomial", "uniform", "sequential", "top_r"}),
          "how the trained singular vectors are drawn; multinomial: p = ½ (1/k + σ / Σσ), without replacement");
    field(gradient, "gradient", one_of({"enhanced", "default"}),
          "enhanced: the singular vectors' gradient without its factor σ");
    field(train_sigma, "train_sigma", one_of({"all", "sampled"}), "which singular values are trained");
    field(init, "init", one_of({"svd", "random"}),
          "svd: of the initial matrix; random: random factors beside the frozen matrix, merged every round");
    field(base_init, "base_init", one_of(kBaseInits),
          "the matrix that is decomposed or frozen: the model's own, or Kaiming-uniform; auto: Kaiming for sst in "
          "Euclidean models, the model's own otherwise");
    field(execution, "execution", one_of({"auto", "factored", "materialised"}),
          "how a layer multiplies; auto: per layer, whichever costs fewer FLOPs for the rows of a step");
    field(svd, "svd", one_of({"exact", "randomized"}), "how the matrix is decomposed again at the end of a round");
    field(restart_warmup_steps, "restart_warmup_steps", at_least(0), "linear warm-up after every sampling");
    field(restart_warmup_scope, "restart_warmup_scope", one_of({"lowrank", "all"}),
          "the rates that warm up again after a sampling");
  }
};

/// Sparse Spectral Training (Zhao et al., arXiv 2405.15481, Algorithm 2). The loops of the paper, by optimizer step t:
///
///     every T3 steps (an iteration)   draw r singular vectors per layer, clear the states of U, V and σ
///     every T2 · T3 steps (a round)   before that draw, decompose U diag(σ) Vᵀ again
///     every step                      σ ← max(σ, 0), active vectors to length 1
class Sst final : public LowRankMethod {
 public:
  Sst(const SstOptions& options, MethodContext context);

  void on_start(optim::Optimizer& optimizer) override;
  void before_step(int64_t step, optim::Optimizer& optimizer) override;
  void after_step(int64_t step, optim::Optimizer& optimizer) override;
  double extra_gradient_bytes() const override;
  std::optional<Refusal> why_not_recorded() const override;
  RateFactors rate_factors(int64_t step) const override { return restarts_.factors(step); }

  int64_t iterations_per_round() const { return iterations_per_round_; }
  const std::vector<std::shared_ptr<SpectralLinear>>& layers() const { return layers_; }

 protected:
  std::shared_ptr<nn::LinearMap> make_target(const nn::LinearSpec& spec) override;

 private:
  void begin_iteration(int64_t iteration, optim::Optimizer& optimizer);
  void end_round(int64_t round);

  SstOptions options_;
  Restarts restarts_;
  int64_t iterations_per_round_;
  std::vector<std::shared_ptr<SpectralLinear>> layers_;
};

/// Probabilities of the draw, by slot (SST paper, eq. 16): ½ (1/k + σ_i / Σσ), or 1/k where Σσ = 0.
std::vector<double> sampling_probabilities(const std::vector<double>& sigma);

/// `count` distinct slots, in law as drawn one by one with renormalisation: the largest of log p_i + Gumbel_i.
std::vector<int64_t> draw_without_replacement(const std::vector<double>& probabilities, int64_t count, CounterRng rng);

}  // namespace sst::methods
