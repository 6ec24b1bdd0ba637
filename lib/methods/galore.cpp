#include "methods/galore.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "tensor/linalg.hpp"

namespace sst::methods {
namespace {

using torch::Tensor;
using Side = GradientSubspace::Side;

/// A dense matrix that trains at the method's rate.
class ProjectedLinear final : public nn::DenseLinear {
 public:
  using DenseLinear::DenseLinear;
  std::vector<std::string> low_rank_names() const override { return {"weight"}; }
};

}  // namespace

GradientSubspace::GradientSubspace(Side side, int64_t rank, int64_t rows, int64_t cols,
                                   const torch::TensorOptions& options)
    : rank_(std::min({rank, rows, cols})), rows_(rows), cols_(cols) {
  if (side != Side::kRight) left_ = torch::zeros({rows, rank_}, options);
  if (side != Side::kLeft) right_ = torch::zeros({cols, rank_}, options);
}

double GradientSubspace::refresh(const Tensor& gradient, const CounterRng* randomized) {
  const torch::NoGradGuard no_grad;
  const auto svd = randomized != nullptr ? tensor::randomized_svd(gradient, rank_, *randomized)
                                         : tensor::thin_svd(gradient);  // in float32 or better
  if (left_.defined()) left_.copy_(svd.u.narrow(1, 0, rank_));
  if (right_.defined()) right_.copy_(svd.vt.narrow(0, 0, rank_).t());
  // Orthonormal bases: what is lost is what the projection is shorter by.
  const double whole = gradient.norm().item<double>(), kept = project(gradient).norm().item<double>();
  return whole > 0 ? std::sqrt(std::max(0.0, 1 - kept * kept / (whole * whole))) : 0;
}

Tensor GradientSubspace::project(const Tensor& gradient) const {
  const Tensor rows = left_.defined() ? left_.t().mm(gradient) : gradient;  // [r or m, n]
  return right_.defined() ? rows.mm(right_) : rows;
}

Tensor GradientSubspace::lift(const Tensor& direction) const {
  const Tensor rows = left_.defined() ? left_.mm(direction) : direction;  // [m, r or n]
  return right_.defined() ? rows.mm(right_.t()) : rows;
}

std::vector<int64_t> GradientSubspace::projected_shape() const {
  return {left_.defined() ? rank_ : rows_, right_.defined() ? rank_ : cols_};
}

Side projected_side(const std::string& proj_type, int64_t rows, int64_t cols) {
  if (proj_type == "full") return Side::kBoth;
  if (proj_type == "left" || proj_type == "right") return proj_type == "left" ? Side::kLeft : Side::kRight;
  const bool right = (rows >= cols) == (proj_type == "std");
  return right ? Side::kRight : Side::kLeft;
}

std::vector<Tensor> GradientSubspace::bases() const {
  std::vector<Tensor> tensors;
  for (const Tensor& basis : {left_, right_})
    if (basis.defined()) tensors.push_back(basis);
  return tensors;
}

Galore::Galore(const GaloreOptions& options, MethodContext context)
    : LowRankMethod(options, context),
      options_(options),
      gap_(interval_steps(options.update_proj_gap, context.step, "method.update_proj_gap")) {}

std::optional<Refusal> Galore::why_not_recorded() const {
  if (!options_.layerwise) return std::nullopt;
  return Refusal{"method.layerwise", "cannot record updates that happen within backward",
                 "use method.layerwise: false"};
}

std::shared_ptr<nn::LinearMap> Galore::make_target(const nn::LinearSpec& spec) {
  const auto options = spec.initial_weight.options().requires_grad(false);
  layers_.push_back(std::make_unique<Layer>(Layer{
      .name = spec.name,
      .subspace = {projected_side(options_.proj_type, spec.out, spec.in), options_.rank, spec.out, spec.in, options},
      .updates = torch::zeros({}, torch::kInt64)}));
  return std::make_shared<ProjectedLinear>(spec);
}

void Galore::attach(optim::Optimizer& optimizer) {
  for (const auto& layer : layers_)
    optimizer.set_view(
        layer->name + ".weight",
        {.shape = layer->subspace.projected_shape(),
         .project = [this, &layer = *layer](const Tensor& gradient) { return project(layer, gradient); },
         .lift = [this,
                  &layer = *layer](const Tensor& direction) { return layer.subspace.lift(direction) * options_.scale; },
         .raw_eps = options_.eps_mode == "code"});
}

Tensor Galore::project(Layer& layer, const Tensor& gradient) {
  const auto updates = layer.updates.item<int64_t>();
  layer.updates.add_(1);
  if (updates % gap_ == 0) {
    const CounterRng rng(context().seed, Stream::kMethod,
                         combine(name_index(layer.name + ".projection"), static_cast<uint64_t>(updates / gap_)));
    double residual = 0;
    context().group->once(
        [&] { residual = layer.subspace.refresh(gradient, options_.svd == "randomized" ? &rng : nullptr); },
        layer.subspace.bases());
    residuals_.push_back(residual);
  }
  return layer.subspace.project(gradient);
}

void Galore::after_step(int64_t /*step*/, optim::Optimizer&) {
  if (residuals_.empty()) return;
  const double sum = std::accumulate(residuals_.begin(), residuals_.end(), 0.0);
  record({.name = "method_projection",
          .values = {{"method/projection_residual", sum / static_cast<double>(residuals_.size())}}});
  residuals_.clear();
}

std::map<std::string, Tensor> Galore::state_dict() const {
  std::map<std::string, Tensor> tensors;
  for (const auto& layer : layers_) {
    tensors[layer->name + ".updates"] = layer->updates;
    if (layer->subspace.left().defined()) tensors[layer->name + ".left"] = layer->subspace.left();
    if (layer->subspace.right().defined()) tensors[layer->name + ".right"] = layer->subspace.right();
  }
  return tensors;
}

void Galore::load_state_dict(const std::map<std::string, Tensor>& tensors) {
  const auto mine = state_dict();
  for (const auto& [name, tensor] : mine) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.sizes() != tensor.sizes())
      throw CheckpointError("the method's state has no fitting tensor '" + name + "'",
                            "the checkpoint was written with another method, rank or projection");
  }
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : mine) Tensor(tensor).copy_(tensors.at(name));
}

}  // namespace sst::methods
