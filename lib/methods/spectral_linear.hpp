#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/linear.hpp"

namespace sst::methods {

/// A linear map held as its own full SVD (SST paper, eq. 3): W = U diag(σ) Vᵀ, nothing truncated. In a paragraph:
///
///     m = out, n = in, k = min(m, n), r = rank
///     u      [k, m]  row i is the left singular vector u_i      stored whole, rows 0 … r − 1 are trained
///     v      [k, n]  row i is the right singular vector v_i     stored whole, rows 0 … r − 1 are trained
///     sigma  [k]     singular values, in the order of the rows  trained, all of them or the active ones
///     order  [k]     which singular triplet of this round's decomposition each row ("slot") holds
///
/// Slots 0 … r − 1 are the active ones: one contiguous block, so that the optimizer sees two small tensors.
class SpectralLinear final : public nn::LinearMap {
 public:
  enum class Execution { kFactored, kMaterialised };

  struct Options {
    int64_t rank = 1;               ///< clipped to k
    bool enhanced_gradient = true;  ///< SST paper, eq. 9; otherwise eq. 8
    bool train_all_sigma = true;    ///< false: only the active σ (Table 15)
    bool randomized_svd = false;    ///< decompose through a random range finder
    Execution execution = Execution::kFactored;
    uint64_t seed = 0;            ///< of the random factors and of the range finder
    bool random_factors = false;  ///< Table 15: W frozen beside U diag(σ) Vᵀ with random U, V and σ = 0
  };

  /// Decomposes the spec's initial weight.
  SpectralLinear(const nn::LinearSpec& spec, const Options& options);

  torch::Tensor dense_weight() const override;
  void set_dense_weight(const torch::Tensor& weight) override;
  torch::Tensor singular_values() const override { return sigma_.detach(); }
  std::vector<nn::NamedTensor> active_views() const override;
  bool has_late_gradients() const override { return options_.execution == Execution::kMaterialised; }
  nn::RowFlops flops_per_row() const override;
  std::vector<std::string> low_rank_names() const override;
  std::vector<std::string> decayed_names() const override;
  bool decays_like_its_matrix() const override { return options_.train_all_sigma && !base_.defined(); }

  /// Brings the slots `chosen` (r distinct ones) into the active block, swapping rows of u, v and entries of sigma with
  /// the active ones that were not drawn again. W does not change (paper, section 4.6).
  void activate(const std::vector<int64_t>& chosen);
  /// End of a round: u, sigma, v ← SVD(U diag(σ) Vᵀ), descending. `round` keys the random parts.
  void decompose(int64_t round);
  /// After an update: σ ← max(σ, 0); active rows of u and v to length 1 (paper, eq. 6 and 7).
  void constrain();
  /// Materialised execution only: turns the gradient of W that backward accumulated into those of the factors.
  void contract_gradient();

  int64_t rank() const { return u_active_.size(0); }
  int64_t full_rank() const { return u_.size(0); }
  Execution execution() const { return options_.execution; }
  const torch::Tensor& u() const { return u_; }
  const torch::Tensor& v() const { return v_; }
  const torch::Tensor& sigma() const { return sigma_; }
  const torch::Tensor& order() const { return order_; }
  const torch::Tensor& u_active() const { return u_active_; }
  const torch::Tensor& v_active() const { return v_active_; }
  /// What decompose() writes.
  std::vector<torch::Tensor> decomposed() const;
  void set_order(const torch::Tensor& order) { order_.copy_(order); }

 protected:
  torch::Tensor apply(const tensor::Rows& x, const nn::Pass& pass) override;

 private:
  torch::Tensor spectral_product() const;  ///< U diag(σ) Vᵀ [m, n]
  void draw_random_factors(int64_t round);
  const torch::Tensor& materialised();

  Options options_;
  torch::Tensor base_;  ///< frozen W beside the factors; undefined but for random_factors
  torch::Tensor u_, v_, sigma_, order_;
  torch::Tensor u_active_, v_active_, sigma_active_;  ///< trained; rows of the above, in the same storage
  torch::Tensor materialised_;                        ///< W as a leaf, kept between steps
  int64_t materialised_version_ = -1;
  nn::ComputeCopy compute_u_, compute_v_, compute_base_, compute_materialised_;
};

/// Multiply-adds counted as 2 for one optimizer step (sst.md 2.11): which way of running the layer costs less.
SpectralLinear::Execution cheaper_execution(int64_t rows, int64_t in, int64_t out, int64_t rank);

}  // namespace sst::methods
