#include "run/prune.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "methods/low_rank.hpp"
#include "run/snapshot.hpp"

namespace sst::run {

int64_t kept_rank(const torch::Tensor& sigma, double keep) {
  const torch::Tensor sums = sigma.detach().to(torch::kCPU, torch::kFloat64).cumsum(0);
  const double* sum = sums.const_data_ptr<double>();
  const int64_t count = sums.numel();
  return std::min(std::lower_bound(sum, sum + count, keep * sum[count - 1]) - sum + 1, count);
}

Pruning::Pruning(const torch::nn::Module& model, Tensors dense, const std::vector<std::string>& targets)
    : dense_(std::move(dense)) {
  std::vector<std::string> maps;
  for (const auto& item : model.named_modules("", /*include_self=*/false)) {
    const auto* map = dynamic_cast<const nn::LinearMap*>(item.value().get());
    if (map == nullptr) continue;
    maps.push_back(item.key());
    if (!methods::target_of(targets, map->spec())) continue;
    matrices_.push_back({.map = item.key(),
                         .out = map->spec().out,
                         .in = map->spec().in,
                         .svd = tensor::thin_svd(dense_.at(item.key() + ".weight"))});
  }
  if (matrices_.empty())
    throw UserError("'" + join(targets, ", ") + "' names no linear map", "the model has " + join(maps, ", "));
}

Pruning::Tensors Pruning::tensors(double keep) const {
  Tensors pruned = dense_;
  if (keep >= 1) return pruned;
  for (const Matrix& matrix : matrices_) {
    const int64_t rank = kept_rank(matrix.svd.s, keep);
    torch::Tensor& weight = pruned.at(matrix.map + ".weight");
    weight = (matrix.svd.u.narrow(1, 0, rank) * matrix.svd.s.narrow(0, 0, rank))
                 .mm(matrix.svd.vt.narrow(0, 0, rank))
                 .to(weight.scalar_type());
  }
  return pruned;
}

double Pruning::removed(double keep) const {
  int64_t kept = 0, all = 0;
  for (const Matrix& matrix : matrices_) {
    kept += keep >= 1 ? matrix.svd.s.numel() : kept_rank(matrix.svd.s, keep);
    all += matrix.svd.s.numel();
  }
  return 1 - static_cast<double>(kept) / static_cast<double>(all);
}

double Pruning::size(double keep) const {
  int64_t kept = 0, all = 0;
  for (const Matrix& matrix : matrices_) {
    kept += keep >= 1 ? matrix.out * matrix.in : matrix.numbers(kept_rank(matrix.svd.s, keep));
    all += matrix.out * matrix.in;
  }
  return static_cast<double>(kept) / static_cast<double>(all);
}

std::map<std::string, int64_t> Pruning::factored_ranks(double keep) const {
  std::map<std::string, int64_t> ranks;
  for (const Matrix& matrix : matrices_)
    if (const int64_t rank = kept_rank(matrix.svd.s, keep); matrix.numbers(rank) < matrix.out * matrix.in)
      ranks[matrix.map] = rank;
  return ranks;
}

std::vector<report::PrunePoint> prune_curve(Assembly& assembly, const Pruning& pruning,
                                            const std::vector<double>& keeps, const std::string& split,
                                            const std::function<void(const report::PrunePoint&)>& shown) {
  auto& task = *assembly.task;
  task.model().eval();
  std::vector<report::PrunePoint> curve;
  for (const double keep : keeps) {
    curve.push_back({.keep = keep, .removed = pruning.removed(keep), .size = pruning.size(keep)});
    const nn::Substitution pruned(task.model(), pruning.tensors(keep));
    for (const auto& [name, value] : task.evaluate(split, evaluation_pass(assembly)).metrics)
      curve.back().results[split + "/" + name] = value;
    if (shown) shown(curve.back());
  }
  return curve;
}

namespace {

/// The recipe of the original with the maps of `ranks` as products of two factors. A rule that moves U S Vᵀ as a whole
/// takes its own three.
std::vector<std::string> factored_overrides(const recipe::Recipe& original,
                                            const std::map<std::string, int64_t>& ranks) {
  std::vector<std::string> maps, numbers;
  int64_t least = INT64_MAX;
  for (const auto& [map, rank] : ranks) {
    maps.push_back(map);
    numbers.push_back(std::to_string(rank));
    least = std::min(least, rank);
  }
  const bool as_one = starts_with(original.text("optim.name"), "lowrank_");
  return {"method.name=lowrank",
          "method.rank=" + std::to_string(least),
          "method.targets=[" + join(maps, ", ") + "]",
          "method.ranks=[" + join(numbers, ", ") + "]",
          std::string("method.factors=") + (as_one ? "usv" : "ba"),
          "method.init=svd",
          "method.tolerance=0",
          "method.inner_steps=1",
          "method.freeze_rank_after=off",
          "train.ema=null"};
}

/// What the model stores once its maps start from `dense`.
tensor::NamedTensors stored_from(const recipe::Recipe& recipe, const Pruning::Tensors& dense) {
  const auto built = untrained_model(recipe);
  nn::load_dense_tensors(built.task->model(), dense);
  tensor::NamedTensors stored;
  for (const auto& [name, tensor] : nn::stored_tensors(built.task->model())) stored[name] = tensor.detach();
  return stored;
}

}  // namespace

checkpoint::Contents pruned_checkpoint(const checkpoint::Contents& original, const std::filesystem::path& folder,
                                       const Pruning& pruning, double keep, bool factored) {
  std::vector<std::string> overrides = {"method.name=full", "train.ema=null"};
  if (factored) {
    const auto ranks = pruning.factored_ranks(keep);
    if (ranks.empty())
      throw UserError(fmt::format("with --keep {} no two factors are smaller than their matrix", keep),
                      "keep less, or leave out --factored");
    overrides = factored_overrides(recipe_of(original, folder), ranks);
  }
  const auto recipe = recipe_of(original, folder, {.overrides = overrides});
  auto pruned = weights_only(original, recipe);
  pruned.model = stored_from(recipe, pruning.tensors(keep));
  pruned.state["pruned"] = {{"keep", keep}, {"removed", pruning.removed(keep)}, {"size", pruning.size(keep)}};
  return pruned;
}

}  // namespace sst::run
