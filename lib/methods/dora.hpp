#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/lora.hpp"

namespace sst::methods {

/// V = W₀ + s B A, y = (g / c) ∘ (x Vᵀ) + b with c the row norms of V: length and direction of each row train apart
/// (DoRA). W₀, A, B as in AdapterLinear; g [out] starts at the row norms of W₀, so the function starts unchanged.
/// c is a constant for the gradient, as in section 4.3 of the paper and in PEFT. Dropout acts on the update's input only,
/// and never on c. Stored as `weight`, `lora_a`, `lora_b`, `magnitude`.
class DoraLinear final : public AdapterLinear {
 public:
  DoraLinear(const nn::LinearSpec& spec, const Options& options, const torch::Tensor& initial_a);

  torch::Tensor dense_weight() const override;  ///< diag(g / c) V
  /// W₀ ← weight, B ← 0, g ← its row norms.
  void set_dense_weight(const torch::Tensor& weight) override;
  std::vector<std::string> low_rank_names() const override { return {"lora_a", "lora_b", "magnitude"}; }

  const torch::Tensor& magnitude() const { return magnitude_; }

 protected:
  torch::Tensor apply(const tensor::Rows& x, const nn::Pass& pass) override;

 private:
  const torch::Tensor& row_norms() const;  ///< c [out]

  torch::Tensor magnitude_;
  mutable torch::Tensor norms_;  ///< c, computed once per optimizer step
  mutable int64_t norms_version_ = -1;
};

/// DoRA trained from scratch like LoRA: W₀ is the random initial weight and stays frozen (Liu et al., arXiv 2402.09353,
/// eq. 5; as a baseline in the SST paper, Table 25).
class Dora final : public LowRankMethod {
 public:
  Dora(const AdapterOptions& options, MethodContext context) : LowRankMethod(options, context), options_(options) {}
  std::vector<std::string> keys_of_states() const override { return {"method.alpha"}; }

 protected:
  std::shared_ptr<nn::LinearMap> make_target(const nn::LinearSpec& spec) override;

 private:
  AdapterOptions options_;
};

}  // namespace sst::methods
