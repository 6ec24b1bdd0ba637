#include "nn/lorentz_attention.hpp"

#include <cmath>

#include "nn/lorentz_normalise.hpp"

namespace sst::nn {

LorentzSequenceAttention::LorentzSequenceAttention(const Options& options, const Build& build, const std::string& name)
    : MultiHeadAttention(options.heads, {.scale = 1.0}, name) {
  const int64_t hidden = options.hidden_size, heads = options.heads;
  const auto layer = [&](const std::string& part, const LorentzLinearOptions& layer_options) {
    return register_module(
        part, std::make_shared<LorentzLinear>(translation_linear(layer_options), build, name + "." + part));
  };
  const LorentzLinearOptions split{
      .in = hidden, .out = hidden, .dropout = options.attention_dropout, .heads = heads, .split = true};
  q_ = layer("q_proj", split);
  k_ = layer("k_proj", split);
  v_ = layer("v_proj", split);
  out_ = layer("out_proj", {.in = hidden, .out = hidden, .bias = false, .dropout = options.dropout, .heads = heads});
  scale_ = register_parameter("scale", torch::full({1}, std::sqrt(static_cast<double>(hidden)), build.tensors));
  bias_ = register_parameter("bias", torch::zeros({}, build.tensors));
  metric_ = torch::full({hidden / heads}, 2, build.tensors);
  metric_[0] = -2;
}

torch::Tensor LorentzSequenceAttention::queries(const torch::Tensor& x, const Pass& pass) {
  // The constants 2 / scale and bias cancel in the softmax; what is left is an ordinary product, which fused kernels know.
  return split_heads(q_->forward_sequences(x, pass), heads_) * (metric_ / scale_);
}

torch::Tensor LorentzSequenceAttention::keys(const torch::Tensor& x, const Pass& pass) {
  return split_heads(k_->forward_sequences(x, pass), heads_);
}

torch::Tensor LorentzSequenceAttention::values(const torch::Tensor& x, const Pass& pass) {
  return split_heads(v_->forward_sequences(x, pass), heads_);
}

torch::Tensor LorentzSequenceAttention::after(const torch::Tensor& sums, const torch::Tensor& x, const Pass& pass) {
  const torch::Tensor points = lorentz_normalise(sums.transpose(1, 2));  // [batch, queries, heads, dim]
  return out_->forward_sequences(points.reshape(x.sizes()), pass, x);
}

}  // namespace sst::nn
