#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/low_rank.hpp"

namespace sst::methods {

struct VeraOptions : LowRankOptions {
  double d_initial = 0.1;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    LowRankOptions::describe(field);
    field(d_initial, "d_initial", positive(), "where the trained scales between the shared matrices start");
  }
};

/// The random matrices that all layers share: A [r, largest in] and B [largest out, r], Kaiming-uniform over their own
/// widths, pure functions of the seed and of those widths. They belong to no layer and to no checkpoint.
class SharedMatrices {
 public:
  SharedMatrices(int64_t rank, uint64_t seed) : rank_(rank), seed_(seed) {}

  int64_t rank() const { return rank_; }
  /// A layer of these widths will use them.
  void cover(int64_t out, int64_t in, const torch::TensorOptions& options);
  /// The leading columns of A, [r, in].
  torch::Tensor a(int64_t in, const nn::Pass& pass = {});
  /// The leading rows of B, [out, r].
  torch::Tensor b(int64_t out, const nn::Pass& pass = {});

 private:
  void draw();

  int64_t rank_, largest_out_ = 0, largest_in_ = 0;
  uint64_t seed_;
  torch::TensorOptions options_;
  torch::Tensor a_, b_;  ///< undefined until first used, which is after the last layer was made
  nn::ComputeCopy compute_a_, compute_b_;
};

/// VeRA: y = x W₀ᵀ + (((x Aᵀ) ∘ d) Bᵀ) ∘ v + b with A, B random, frozen and shared by all layers; only d [r], started at
/// d_initial, and v [out], started at zero, train (Kopiczko et al., arXiv 2310.11454, eq. 2). Trained from scratch like
/// LoRA. Stored per layer: `weight` (W₀, frozen), `vera_d`, `vera_b`.
class Vera final : public LowRankMethod {
 public:
  Vera(const VeraOptions& options, MethodContext context)
      : LowRankMethod(options, context),
        d_initial_(options.d_initial),
        shared_(std::make_shared<SharedMatrices>(options.rank, context.seed)) {}

  std::vector<std::string> keys_of_states() const override { return {"seed"}; }
  const std::shared_ptr<SharedMatrices>& shared() const { return shared_; }

 protected:
  std::shared_ptr<nn::LinearMap> make_target(const nn::LinearSpec& spec) override;

 private:
  double d_initial_;
  std::shared_ptr<SharedMatrices> shared_;
};

}  // namespace sst::methods
