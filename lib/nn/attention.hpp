#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/pass.hpp"
#include "nn/rotary.hpp"

namespace sst::nn {

/// Keys and values of the tokens that one attention layer has seen, for decoding one token after another. Without a
/// graph.
class KeyValues {
 public:
  /// Adds k, v [batch, kv_heads, time, dim] and returns all there are, [batch, kv_heads, length(), dim].
  std::pair<torch::Tensor, torch::Tensor> append(const torch::Tensor& k, const torch::Tensor& v);
  int64_t length() const { return length_; }

 private:
  torch::Tensor keys_, values_;  ///< [batch, kv_heads, capacity, dim]
  int64_t length_ = 0;
};

/// One for each layer of a model. Starts empty; a new text needs a new one.
struct KeyValueCache {
  std::vector<KeyValues> layers;

  int64_t length() const { return layers.empty() ? 0 : layers.front().length(); }
};

struct AttentionOptions {
  int64_t heads = 1;
  int64_t kv_heads = 1;  ///< divides heads: query head h looks at key and value head h / (heads / kv_heads)
  double dropout = 0;    ///< on the attention weights
  std::shared_ptr<const Rotary> rotary = nullptr;  ///< absent: positions enter elsewhere
};

/// softmax(q kᵀ / √dim) v, each token looking at itself and those before it, heads side by side in the last dimension.
///   q        [batch, time, heads · dim]
///   k, v     [batch, time, kv_heads · dim]
///   cache    the tokens before these; they are appended to it
///   layer    names the dropout mask
///   returns  [batch, time, heads · dim], in the pass's compute type
torch::Tensor causal_attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                               const AttentionOptions& options, const Pass& pass, const std::string& layer,
                               KeyValues* cache = nullptr);

}  // namespace sst::nn
