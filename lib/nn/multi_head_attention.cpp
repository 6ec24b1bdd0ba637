#include "nn/multi_head_attention.hpp"

#include <tuple>

#include "core/error.hpp"
#include "nn/compute.hpp"
#include "nn/dropout.hpp"

namespace sst::nn {

torch::Tensor MultiHeadAttention::self(const torch::Tensor& x, const AttentionMask& mask, const Pass& pass,
                                       KeyValues* cache) {
  require(!cache || !torch::GradMode::is_enabled(), "cached keys and values have no gradient");
  const torch::Tensor in = before(x);
  const torch::Tensor q = queries(in, pass);
  torch::Tensor k = keys(in, pass), v = values(in, pass);
  if (cache) std::tie(k, v) = cache->append(k, v);
  return after(attend(q, k, v, mask, options_, pass, name_), x, pass);
}

HeadKeyValues MultiHeadAttention::keys_values(const torch::Tensor& memory, const Pass& pass) {
  return {keys(memory, pass), values(memory, pass)};
}

torch::Tensor MultiHeadAttention::cross(const torch::Tensor& x, const HeadKeyValues& memory, const AttentionMask& mask,
                                        const Pass& pass, torch::Tensor* first_head) {
  const torch::Tensor q = queries(before(x), pass);
  if (first_head != nullptr) *first_head = first_head_weights(q, memory.keys, mask, options_.scale);
  return after(attend(q, memory.keys, memory.values, mask, options_, pass, name_), x, pass);
}

TransformerAttention::TransformerAttention(const Options& options, const Build& build, const std::string& name)
    : MultiHeadAttention(options.heads, {.dropout = options.attention_dropout}, name),
      norm_place_(options.norm_place),
      dropout_(options.dropout) {
  const auto map = [&](const std::string& part) {
    const LinearSpec spec{.in = options.hidden_size, .out = options.hidden_size, .name = name + "." + part};
    return register_module(part, xavier_linear(build, spec));
  };
  norm_ = register_module("norm", std::make_shared<LayerNorm>(options.hidden_size, options.norm_eps, build));
  q_ = map("q_proj");
  k_ = map("k_proj");
  v_ = map("v_proj");
  out_ = map("out_proj");
}

torch::Tensor TransformerAttention::before(const torch::Tensor& x) {
  return norm_place_ == NormPlace::kBefore ? norm_->forward(x) : x;
}

torch::Tensor TransformerAttention::queries(const torch::Tensor& x, const Pass& pass) {
  return split_heads(in_compute_type(q_->forward(x, pass), pass), heads_);
}

torch::Tensor TransformerAttention::keys(const torch::Tensor& x, const Pass& pass) {
  return split_heads(in_compute_type(k_->forward(x, pass), pass), heads_);
}

torch::Tensor TransformerAttention::values(const torch::Tensor& x, const Pass& pass) {
  return split_heads(in_compute_type(v_->forward(x, pass), pass), heads_);
}

torch::Tensor TransformerAttention::after(const torch::Tensor& sums, const torch::Tensor& x, const Pass& pass) {
  const torch::Tensor y = x + dropout(out_->forward(merge_heads(sums), pass), dropout_, pass, name_ + ".out_proj");
  return norm_place_ == NormPlace::kAfter ? norm_->forward(y) : y;
}

}  // namespace sst::nn
