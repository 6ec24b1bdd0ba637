#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "report/prune_curve.hpp"
#include "run/assembly.hpp"
#include "tensor/linalg.hpp"

namespace sst::run {

/// The fewest leading values of σ (descending) whose sum is at least `keep` of the sum of all; at least one.
int64_t kept_rank(const torch::Tensor& sigma, double keep);

/// Singular-value pruning of a trained model, whatever method trained it: of each matrix only the largest singular values
/// stay, kept_rank() of them.
///   source    Zhao et al., arXiv 2405.15481, appendix F, figure 5
class Pruning {
 public:
  using Tensors = std::map<std::string, torch::Tensor>;

  /// Decomposes the matrices in `dense`, tensors as nn::dense_tensors() of `model`, of the linear maps that `targets`
  /// names in the way of method.targets.
  ///   throws  UserError when they name no map
  Pruning(const torch::nn::Module& model, Tensors dense, const std::vector<std::string>& targets);

  /// All tensors with the pruned matrices in place; keep = 1 changes nothing.
  Tensors tensors(double keep) const;
  /// Share of the singular values of all these matrices together that is dropped.
  double removed(double keep) const;
  /// Numbers of these matrices, each held as two factors [out, r] and [r, in] where those are smaller, over the numbers of
  /// the plain ones: what is left of their memory, and of the multiplications of a forward pass.
  double size(double keep) const;
  /// The maps whose two factors are smaller than the matrix, with their ranks.
  std::map<std::string, int64_t> factored_ranks(double keep) const;

 private:
  struct Matrix {
    std::string map;
    int64_t out, in;
    tensor::ThinSvd svd;
    int64_t numbers(int64_t rank) const { return std::min(rank * (out + in), out * in); }
  };

  Tensors dense_;
  std::vector<Matrix> matrices_;
};

/// The metrics of a split at each share of `keeps`; the model is as before afterwards. `shown` sees each point.
std::vector<report::PrunePoint> prune_curve(Assembly& assembly, const Pruning& pruning,
                                            const std::vector<double>& keeps, const std::string& split,
                                            const std::function<void(const report::PrunePoint&)>& shown = {});

/// The pruned model as a checkpoint from which nothing can be resumed, of the checkpoint `original` in `folder`: plain
/// matrices (method.name: full), or `factored` with method.name: lowrank for the maps of factored_ranks().
///   throws  UserError when no factors are smaller than their matrix
checkpoint::Contents pruned_checkpoint(const checkpoint::Contents& original, const std::filesystem::path& folder,
                                       const Pruning& pruning, double keep, bool factored);

}  // namespace sst::run
