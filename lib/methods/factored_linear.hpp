#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/linear.hpp"
#include "optim/low_rank_matrix.hpp"

namespace sst::methods {

/// How a map of low rank starts.
enum class FactoredInit {
  kSvd,          ///< the best approximation of the initial weight
  kOrthonormal,  ///< random orthonormal bases with the leading singular values of the initial weight
  kAdapter       ///< the initial weight, frozen, beside random orthonormal bases with S = 0
};

struct FactoredOptions {
  int64_t rank = 1;  ///< clipped to the smaller side
  FactoredInit init = FactoredInit::kSvd;
  optim::Truncation truncation = {};
  int64_t inner_steps = 1;
  uint64_t seed = 0;
};

/// W = U S Vᵀ (beside a frozen W₀ where it is an adapter): the weight itself has low rank. Stored as `u`, `s`, `v`,
/// `in_use` as optim::LowRankMatrix describes them, and `weight` (W₀).
///
/// Its gradients come in one of two kinds. As long as nobody asked for the other, they are those of the factors,
/// dU = G V Sᵀ, dS = UᵀG V, dV = GᵀU S. As one matrix (train_as_one) they are the coordinates of the projected gradient
/// P(W)G, from gK = G V and gL = GᵀU without forming G or dividing by S.
class FactoredLinear final : public nn::LinearMap {
 public:
  FactoredLinear(const nn::LinearSpec& spec, const FactoredOptions& options);

  torch::Tensor dense_weight() const override;
  /// W₀ ← weight, S ← 0 for an adapter; otherwise the best approximation of `weight` of the initial rank.
  void set_dense_weight(const torch::Tensor& weight) override;
  nn::RowFlops flops_per_row() const override;
  std::vector<std::string> low_rank_names() const override { return {"u", "s", "v"}; }
  /// (1 − ηλ) S is (1 − ηλ) W.
  std::vector<std::string> decayed_names() const override { return {"s"}; }

  /// From now on gradients are those of the matrix; what has to move it.
  std::shared_ptr<optim::LowRankMatrix> train_as_one();
  const optim::LowRankMatrix& matrix() const { return *matrix_; }

 protected:
  torch::Tensor apply(const tensor::Rows& x, const nn::Pass& pass) override;

 private:
  FactoredOptions options_;
  std::shared_ptr<optim::LowRankMatrix> matrix_;
  torch::Tensor base_;  ///< frozen, undefined unless an adapter
  bool as_one_ = false;
  nn::ComputeCopy compute_u_, compute_v_, compute_base_;
};

/// W = B A (beside a frozen W₀ where it is an adapter), both factors trained as they are. B [out, r], A [r, in]: B = U √Σ,
/// A = √Σ Vᵀ of the start; an adapter starts at B = 0. Stored as `factor_b`, `factor_a`, `weight`.
class ProductLinear final : public nn::LinearMap {
 public:
  ProductLinear(const nn::LinearSpec& spec, const FactoredOptions& options);

  torch::Tensor dense_weight() const override;
  void set_dense_weight(const torch::Tensor& weight) override;
  std::vector<std::string> low_rank_names() const override { return {"factor_a", "factor_b"}; }
  std::vector<std::string> decayed_names() const override { return {"factor_a", "factor_b"}; }

 protected:
  torch::Tensor apply(const tensor::Rows& x, const nn::Pass& pass) override;

 private:
  FactoredOptions options_;
  torch::Tensor base_, a_, b_;
  nn::ComputeCopy compute_a_, compute_b_, compute_base_;
};

}  // namespace sst::methods
