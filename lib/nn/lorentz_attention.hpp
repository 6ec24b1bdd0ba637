#pragma once

#include <memory>
#include <string>

#include "nn/lorentz_linear.hpp"
#include "nn/multi_head_attention.hpp"

namespace sst::nn {

/// Attention between points: weights softmax((2 + 2 <q, k>) / scale + bias), minus the squared Lorentz distance over a
/// learned scale; sums of values are brought back to the hyperboloid head by head (the Lorentz centroid). Every head of
/// q, k and v is a point of its own. Behind it a Lorentz linear layer without bias, with the sublayer's input as
/// residual.
///   tensors   q_proj, k_proj, v_proj, out_proj (Lorentz linear layers), `scale` [1], at first √hidden_size, and `bias`,
///             which a softmax cannot see: it is kept for the published count of parameters and gets no gradient
///   source    Chen et al. 2022, section 3.3 and published translation code
class LorentzSequenceAttention : public MultiHeadAttention {
 public:
  struct Options {
    int64_t hidden_size = 0, heads = 1;
    double dropout = 0;            ///< on the input of out_proj
    double attention_dropout = 0;  ///< on the inputs of q_proj, k_proj and v_proj; the weights have none
  };
  LorentzSequenceAttention(const Options& options, const Build& build, const std::string& name);

 protected:
  torch::Tensor queries(const torch::Tensor& x, const Pass& pass) override;
  torch::Tensor keys(const torch::Tensor& x, const Pass& pass) override;
  torch::Tensor values(const torch::Tensor& x, const Pass& pass) override;
  torch::Tensor after(const torch::Tensor& sums, const torch::Tensor& x, const Pass& pass) override;

 private:
  std::shared_ptr<LorentzLinear> q_, k_, v_, out_;
  torch::Tensor scale_, bias_;
  torch::Tensor metric_;  ///< twice the signature, (−2, 2, …, 2) [dim of a head]
};

}  // namespace sst::nn
