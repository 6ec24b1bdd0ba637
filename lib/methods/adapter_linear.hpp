#pragma once

#include <string>
#include <vector>

#include "nn/linear.hpp"

namespace sst::methods {

/// y = x W₀ᵀ + s · (drop(x) Aᵀ) Bᵀ + b: a frozen matrix and a trained update of rank r (LoRA, Hu et al.,
/// arXiv 2106.09685, eq. 3). W₀ [out, in] frozen, A [r, in] Kaiming-uniform, B [out, r] zero, s = alpha / r.
/// Stored as `weight`, `lora_a`, `lora_b`.
class AdapterLinear : public nn::LinearMap {
 public:
  struct Options {
    int64_t rank = 1;  ///< clipped to the smaller side
    double alpha = 1;
    double dropout = 0;  ///< on the update's input only
  };

  /// W₀ is the spec's initial weight; initial_a [r, in].
  AdapterLinear(const nn::LinearSpec& spec, const Options& options, const torch::Tensor& initial_a);

  torch::Tensor dense_weight() const override;
  /// W₀ ← weight, B ← 0.
  void set_dense_weight(const torch::Tensor& weight) override;
  nn::RowFlops flops_per_row() const override;
  std::vector<std::string> low_rank_names() const override { return {"lora_a", "lora_b"}; }
  std::vector<std::string> decayed_names() const override { return {"lora_a", "lora_b"}; }

  /// W₀ ← W₀ + s B A, A ← fresh_a, B ← 0: the function stays, the subspace changes (ReLoRA*, SST paper, Algorithm 1).
  void merge_and_restart(const torch::Tensor& fresh_a);

  const torch::Tensor& base() const { return base_; }
  const torch::Tensor& a() const { return a_; }
  const torch::Tensor& b() const { return b_; }

 protected:
  torch::Tensor apply(const tensor::Rows& x, const nn::Pass& pass) override { return product(x, pass, bias()); }
  /// x W₀ᵀ + s · (drop(x) Aᵀ) Bᵀ + offset; `offset` [out] may be undefined.
  torch::Tensor product(const tensor::Rows& x, const nn::Pass& pass, const torch::Tensor& offset);
  double scale() const { return scale_; }

 private:
  bool drops(const nn::Pass& pass) const { return pass.training && dropout_ > 0; }
  tensor::Rows drop(const tensor::Rows& x, const nn::Pass& pass) const;

  double scale_;
  double dropout_;
  torch::Tensor base_, a_, b_;
  nn::ComputeCopy compute_base_;
};

}  // namespace sst::methods
