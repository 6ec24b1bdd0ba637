#include "nn/self_attention.hpp"

#include "nn/compute.hpp"

namespace sst::nn {

SelfAttention::SelfAttention(const SelfAttentionOptions& options, const Build& build, const std::string& name)
    : options_(options.attention), name_(name) {
  const auto map = [&](const std::string& part, int64_t heads) {
    const int64_t out = options.hidden_size / options_.heads * heads;
    return register_module(
        part,
        normal_linear(
            build,
            {.in = options.hidden_size, .out = out, .bias = options.bias, .name = name + "." + part, .in_block = true},
            options.init_std));
  };
  q_ = map("q_proj", options_.heads);
  k_ = map("k_proj", options_.kv_heads);
  v_ = map("v_proj", options_.kv_heads);
  out_ = map(options.out_name, options_.heads);
}

torch::Tensor SelfAttention::forward(const torch::Tensor& x, const Pass& pass, KeyValues* cache) {
  const torch::Tensor in = in_compute_type(x, pass);  // once for the three maps
  return out_->forward(causal_attention(q_->forward(in, pass), k_->forward(in, pass), v_->forward(in, pass), options_,
                                        pass, name_, cache),
                       pass);
}

}  // namespace sst::nn
