#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>

#include "nn/attention.hpp"
#include "nn/build.hpp"

namespace sst::nn {

struct SelfAttentionOptions {
  int64_t hidden_size = 0;
  AttentionOptions attention = {};
  bool bias = true;
  std::string out_name = "out_proj";  ///< what the family calls the output map
  double init_std = 0.02;
};

/// Causal attention with one map each for queries, keys and values (`q_proj`, `k_proj`, `v_proj`) and one behind it, as
/// OPT and LLaMA have it. `name` is the module's full path.
class SelfAttention final : public torch::nn::Module {
 public:
  SelfAttention(const SelfAttentionOptions& options, const Build& build, const std::string& name);

  /// x [batch, time, hidden_size] → the same shape, in the pass's compute type.
  torch::Tensor forward(const torch::Tensor& x, const Pass& pass, KeyValues* cache = nullptr);

 private:
  AttentionOptions options_;
  std::string name_;
  std::shared_ptr<LinearMap> q_, k_, v_, out_;
};

}  // namespace sst::nn
