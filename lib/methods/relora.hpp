#pragma once

#include "methods/adapter_linear.hpp"
#include "methods/lora.hpp"

namespace sst::methods {

struct ReloraOptions : LoraOptions {
  recipe::Interval merge_every = recipe::Interval::steps(200);
  std::string reset = "zero";
  double prune_ratio = 0.9;
  int64_t restart_warmup_steps = 20;
  std::string restart_warmup_scope = "lowrank";

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    LoraOptions::describe(field);
    field(merge_every, "merge_every", anything(), "steps between merges of the update into the frozen matrix");
    field(
        reset, "reset", one_of({"zero", "prune_random", "prune_magnitude"}),
        "what happens to the moments of A and B at a merge: cleared (the SST paper's ReLoRA*), or pruned at random or "
        "by magnitude (ReLoRA)");
    field(prune_ratio, "prune_ratio", fraction(), "share of the moments that pruning sets to zero");
    field(restart_warmup_steps, "restart_warmup_steps", at_least(0), "linear warm-up after every restart");
    field(restart_warmup_scope, "restart_warmup_scope", one_of({"lowrank", "all"}),
          "the rates that warm up again after a restart");
  }
};

/// ReLoRA: every `merge_every` steps the update is merged into the frozen matrix and started afresh at B = 0 (Lialin et
/// al., arXiv 2307.05695). With `reset: zero` it is the SST paper's ReLoRA* (Algorithm 1 there): no full-rank warm
/// start, moments and step count of A and B cleared at each merge.
class Relora final : public LowRankMethod {
 public:
  Relora(const ReloraOptions& options, MethodContext context);

  void after_step(int64_t step, optim::Optimizer& optimizer) override;
  RateFactors rate_factors(int64_t step) const override { return restarts_.factors(step); }
  std::vector<std::string> keys_of_states() const override { return {"method.alpha"}; }

 protected:
  std::shared_ptr<nn::LinearMap> make_target(const nn::LinearSpec& spec) override;

 private:
  void reset_moments(optim::Optimizer& optimizer, const std::string& name, const torch::Tensor& tensor,
                     int64_t merge) const;

  ReloraOptions options_;
  Restarts restarts_;
  std::vector<std::shared_ptr<AdapterLinear>> layers_;
};

}  // namespace sst::methods
