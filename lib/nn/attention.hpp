#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nn/pass.hpp"
#include "nn/rotary.hpp"

namespace sst::nn {

/// Up to so many keys, bfloat16 attention on a CPU is computed in float32.
constexpr int64_t kShortSequence = 256;

/// Keys and values of the tokens that one attention layer has seen, for decoding one token after another. Without a
/// graph.
class KeyValues {
 public:
  /// Adds k, v [batch, kv_heads, time, dim] and returns all there are, [batch, kv_heads, length(), dim].
  std::pair<torch::Tensor, torch::Tensor> append(const torch::Tensor& k, const torch::Tensor& v);
  int64_t length() const { return length_; }

  /// Sequence i becomes what sequence rows[i] was; rows.size() of them stay. Only those that move are copied, and the
  /// memory stays where it is.
  void select(const std::vector<int64_t>& rows);

 private:
  torch::Tensor keys_, values_;  ///< [batch, kv_heads, capacity, dim]
  int64_t length_ = 0;
};

/// One for each layer of a model. Starts empty; a new text needs a new one.
struct KeyValueCache {
  std::vector<KeyValues> layers;

  int64_t length() const { return layers.empty() ? 0 : layers.front().length(); }
};

/// Row i of `all` [rows, ...] becomes its row rows[i], in place; the first rows.size() of them come back.
torch::Tensor select_rows(const torch::Tensor& all, const std::vector<int64_t>& rows);

/// [batch, time, heads · dim] → [batch, heads, time, dim].
torch::Tensor split_heads(const torch::Tensor& x, int64_t heads);
/// [batch, heads, time, dim] → [batch, time, heads · dim].
torch::Tensor merge_heads(const torch::Tensor& x);

/// Which keys the queries of a sequence may look at. Every query needs one.
struct AttentionMask {
  bool causal = false;         ///< the last query looks at all keys, the one before it at all but the last, and so on
  torch::Tensor padding = {};  ///< bool [batch, keys], true where there is no token; undefined: a token everywhere
};

struct AttendOptions {
  std::optional<double> scale = {};  ///< of the products; not given: 1/√dim
  double dropout = 0;                ///< on the weights, when training
};

/// softmax(scale · q kᵀ) v, head by head. Query head h looks at key and value head h / (heads / kv_heads).
///   q        [batch, heads, queries, dim]
///   k, v     [batch, kv_heads, keys, dim]
///   layer    names the dropout mask
///   returns  [batch, heads, queries, dim]
torch::Tensor attend(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v, const AttentionMask& mask,
                     const AttendOptions& options, const Pass& pass, const std::string& layer);

/// The weights of the first head, [batch, queries, keys].
torch::Tensor first_head_weights(const torch::Tensor& q, const torch::Tensor& k, const AttentionMask& mask,
                                 std::optional<double> scale = {});

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
