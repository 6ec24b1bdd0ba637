#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "nn/attention.hpp"
#include "nn/build.hpp"
#include "nn/norm.hpp"

namespace sst::nn {

/// Keys and values of a sequence that others look at, [batch, heads, time, dim] each.
struct HeadKeyValues {
  torch::Tensor keys, values;
};

/// An attention sublayer of a Transformer, with what stands around it (norm, residual): of a sequence at itself or at
/// another one. What differs between geometries is in the virtual functions.
class MultiHeadAttention : public torch::nn::Module {
 public:
  /// x [batch, time, hidden] looks at itself → the same shape.
  ///   cache    the tokens before these; they are appended to it. Only without a graph
  torch::Tensor self(const torch::Tensor& x, const AttentionMask& mask, const Pass& pass, KeyValues* cache = nullptr);

  /// What cross() wants of `memory` [batch, keys, hidden]; for decoding it is computed once.
  HeadKeyValues keys_values(const torch::Tensor& memory, const Pass& pass);

  /// x [batch, queries, hidden] looks at another sequence → the same shape.
  ///   first_head   receives the weights of the first head, [batch, queries, keys]
  torch::Tensor cross(const torch::Tensor& x, const HeadKeyValues& memory, const AttentionMask& mask, const Pass& pass,
                      torch::Tensor* first_head = nullptr);

 protected:
  MultiHeadAttention(int64_t heads, const AttendOptions& options, std::string name)
      : heads_(heads), options_(options), name_(std::move(name)) {}

  virtual torch::Tensor before(const torch::Tensor& x) { return x; }            ///< the norm in front of the sublayer
  virtual torch::Tensor queries(const torch::Tensor& x, const Pass& pass) = 0;  ///< [batch, heads, time, dim]
  virtual torch::Tensor keys(const torch::Tensor& x, const Pass& pass) = 0;
  virtual torch::Tensor values(const torch::Tensor& x, const Pass& pass) = 0;
  /// From the weighted sums of values [batch, heads, queries, dim] and the sublayer's input to its output.
  virtual torch::Tensor after(const torch::Tensor& sums, const torch::Tensor& x, const Pass& pass) = 0;

  int64_t heads_;
  AttendOptions options_;
  std::string name_;
};

/// x + dropout(W_o · attention(W_q n, W_k n, W_v n)) with n = norm(x), as OpenNMT-py 1.1.1 has it, or the norm of that sum
/// with n = x (Vaswani et al. 2017); seen from another sequence keys and values are those of that sequence, without a
/// norm. Children `norm`, `q_proj`, `k_proj`, `v_proj`, `out_proj`, Xavier-uniform.
class TransformerAttention final : public MultiHeadAttention {
 public:
  struct Options {
    int64_t hidden_size = 0, heads = 1;
    NormPlace norm_place = NormPlace::kBefore;
    double norm_eps = 1e-6;
    double dropout = 0;            ///< on what the sublayer adds
    double attention_dropout = 0;  ///< on the attention weights
  };
  TransformerAttention(const Options& options, const Build& build, const std::string& name);

 protected:
  torch::Tensor before(const torch::Tensor& x) override;
  torch::Tensor queries(const torch::Tensor& x, const Pass& pass) override;
  torch::Tensor keys(const torch::Tensor& x, const Pass& pass) override;
  torch::Tensor values(const torch::Tensor& x, const Pass& pass) override;
  torch::Tensor after(const torch::Tensor& sums, const torch::Tensor& x, const Pass& pass) override;

 private:
  NormPlace norm_place_;
  double dropout_;
  std::shared_ptr<LayerNorm> norm_;
  std::shared_ptr<LinearMap> q_, k_, v_, out_;
};

}  // namespace sst::nn
