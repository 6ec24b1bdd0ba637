#include "methods/adapter_linear.hpp"

#include "nn/dropout.hpp"

namespace sst::methods {

AdapterLinear::AdapterLinear(const nn::LinearSpec& spec, const Options& options, const torch::Tensor& initial_a)
    : LinearMap(spec),
      scale_(options.alpha / static_cast<double>(options.rank)),
      dropout_(options.dropout),
      base_(register_parameter("weight", spec.initial_weight.detach().clone(), /*requires_grad=*/false)),
      a_(register_parameter("lora_a", initial_a.detach().clone())),
      b_(register_parameter("lora_b", torch::zeros({spec.out, initial_a.size(0)}, base_.options()))) {}

torch::Tensor AdapterLinear::product(const tensor::Rows& input, const nn::Pass& pass, const torch::Tensor& offset) {
  const tensor::Rows x = nn::in_compute_type(input, pass);
  const tensor::Rows dropped = drop(x, pass);
  const torch::Tensor y = nn::affine(x, compute_base_.of(base_, pass), nn::in_compute_type(offset, pass));
  const torch::Tensor inner = dropped.matmul(nn::in_compute_type(a_, pass).t());                   // [rows, rank]
  return torch::addmm(y, inner, nn::in_compute_type(b_, pass).t(), /*beta=*/1, /*alpha=*/scale_);  // [rows, out]
}

/// Sequences have masks of their own, so that a step may be cut anywhere; a graph's rows are all there at once.
tensor::Rows AdapterLinear::drop(const tensor::Rows& x, const nn::Pass& pass) const {
  if (!pass.training || dropout_ == 0) return x;
  const std::string layer = spec().name + ".adapter";
  if (x.is_sparse() || pass.rows_per_sequence == 0) return x.dropout(dropout_, pass.dropout_rng(layer));
  const torch::Tensor sequences = x.dense().view({-1, pass.rows_per_sequence, x.cols()});
  return nn::dropout(sequences, dropout_, pass, layer).view({-1, x.cols()});
}

torch::Tensor AdapterLinear::dense_weight() const {
  return torch::addmm(base_.detach(), b_.detach(), a_.detach(), 1, scale_);
}

void AdapterLinear::set_dense_weight(const torch::Tensor& weight) {
  const torch::NoGradGuard no_grad;
  base_.copy_(weight);
  b_.zero_();
}

void AdapterLinear::merge_and_restart(const torch::Tensor& fresh_a) {
  const torch::NoGradGuard no_grad;
  base_.addmm_(b_, a_, 1, scale_);
  a_.copy_(fresh_a);
  b_.zero_();
}

}  // namespace sst::methods
