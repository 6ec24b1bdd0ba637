#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "methods/low_rank.hpp"

namespace sst::methods {

struct GaloreOptions : LowRankOptions {
  recipe::Interval update_proj_gap = recipe::Interval::steps(200);
  double scale = 1;
  std::string proj_type = "std";
  std::string eps_mode = "code";
  bool layerwise = false;
  std::string svd = "exact";

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    LowRankOptions::describe(field);
    field(update_proj_gap, "update_proj_gap", anything(), "updates between decompositions of the gradient");
    field(scale, "scale", positive(), "factor on the projected matrices' updates, not on their decay");
    field(proj_type, "proj_type", one_of({"std", "reverse_std", "left", "right", "full"}),
          "the side of the gradient that is projected; std: the shorter one (right for square matrices), reverse_std: "
          "the longer one, full: both");
    field(eps_mode, "eps_mode", one_of({"code", "paper"}),
          "whether Adam's eps joins the root of the second moment before its bias is corrected (the published code) or "
          "after (the paper)");
    field(layerwise, "layerwise", anything(),
          "update each tensor and free its gradient within backward; needs optim.grad_clip: 0 and steps of one "
          "micro-batch");
    field(svd, "svd", one_of({"exact", "randomized"}), "how the gradient is decomposed");
  }
};

/// The subspace of one matrix's gradient G [m, n]. P [m, r] holds leading left singular vectors, Q [n, r] right ones.
///     left    R = PᵀG  [r, n]     lift(N) = P N
///     right   R = G Q  [m, r]     lift(N) = N Qᵀ
///     both    R = PᵀG Q  [r, r]   lift(N) = P N Qᵀ
class GradientSubspace {
 public:
  enum class Side { kLeft, kRight, kBoth };

  /// Bases start at zero; `rank` is clipped to the smaller side.
  GradientSubspace(Side side, int64_t rank, int64_t rows, int64_t cols, const torch::TensorOptions& options);

  /// Takes the leading singular vectors of `gradient`; `randomized` may name the draws of a random range finder.
  ///   returns   ‖G − lift(project(G))‖ / ‖G‖
  double refresh(const torch::Tensor& gradient, const CounterRng* randomized = nullptr);
  torch::Tensor project(const torch::Tensor& gradient) const;
  torch::Tensor lift(const torch::Tensor& direction) const;
  std::vector<int64_t> projected_shape() const;
  std::vector<torch::Tensor> bases() const;              ///< what refresh() writes
  const torch::Tensor& left() const { return left_; }    ///< P, undefined when only the right side is projected
  const torch::Tensor& right() const { return right_; }  ///< Q, undefined when only the left side is projected

 private:
  int64_t rank_, rows_, cols_;
  torch::Tensor left_, right_;
};

/// `proj_type` for a matrix [rows, cols], as the published code decides it: a square one counts as tall.
GradientSubspace::Side projected_side(const std::string& proj_type, int64_t rows, int64_t cols);

/// GaLore: matrices stay dense and trained in full, but their gradients reach the update rule through a subspace of rank
/// r that follows the gradient (Zhao et al., arXiv 2403.03507, Algorithm 1 and 2). Moments keep their values and count
/// when the subspace changes. `layerwise` is section 4.3's per-layer weight update.
class Galore final : public LowRankMethod {
 public:
  Galore(const GaloreOptions& options, MethodContext context);

  bool updates_within_backward() const override { return options_.layerwise; }
  bool projects_gradients() const override { return true; }
  std::optional<Refusal> why_not_recorded() const override;
  void attach(optim::Optimizer& optimizer) override;
  void after_step(int64_t step, optim::Optimizer& optimizer) override;
  std::map<std::string, torch::Tensor> state_dict() const override;
  void load_state_dict(const std::map<std::string, torch::Tensor>& tensors) override;

 protected:
  std::shared_ptr<nn::LinearMap> make_target(const nn::LinearSpec& spec) override;

 private:
  struct Layer {
    std::string name;
    GradientSubspace subspace;
    torch::Tensor updates;  ///< int64 scalar: decides when the next decomposition is due
  };
  torch::Tensor project(Layer& layer, const torch::Tensor& gradient);

  GaloreOptions options_;
  int64_t gap_;
  std::vector<std::unique_ptr<Layer>> layers_;  ///< the optimizer's views point at them
  std::vector<double> residuals_;               ///< of the subspaces renewed in this step
};

}  // namespace sst::methods
