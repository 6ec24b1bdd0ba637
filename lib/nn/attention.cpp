#include "nn/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>

#include "nn/compute.hpp"
#include "nn/dropout.hpp"

namespace sst::nn {
namespace {

/// [batch, time, heads · dim] → [batch, heads, time, dim].
torch::Tensor split_heads(const torch::Tensor& x, int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

/// [batch, heads, time, dim] → [batch, time, heads · dim].
torch::Tensor merge_heads(const torch::Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0), x.size(2), x.size(1) * x.size(3)});
}

/// Which of `keys` tokens each of the last `queries` of them may look at, bool [queries, keys].
torch::Tensor causal_mask(int64_t queries, int64_t keys, torch::Device device) {
  return torch::ones({queries, keys}, torch::TensorOptions(torch::kBool).device(device)).tril(keys - queries);
}

/// The same product spelt out, because a fused kernel would draw its mask from a global generator.
torch::Tensor attend_with_dropout(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v, double p,
                                  const Pass& pass, const std::string& layer) {
  const int64_t group = q.size(1) / k.size(1);
  const torch::Tensor keys = k.repeat_interleave(group, 1), values = v.repeat_interleave(group, 1);
  const auto soft = q.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const torch::Tensor scores = torch::matmul(q / std::sqrt(static_cast<double>(q.size(3))), keys.transpose(2, 3));
  const torch::Tensor weights = scores
                                    .masked_fill(causal_mask(q.size(2), k.size(2), q.device()).logical_not(),
                                                 -std::numeric_limits<double>::infinity())
                                    .softmax(-1, soft);  // [batch, heads, queries, keys]
  return torch::matmul(dropout(weights, p, pass, layer).to(v.scalar_type()), values);
}

torch::Tensor attend(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v) {
  const int64_t queries = q.size(2), keys = k.size(2);
  // is_causal means "as many queries as keys"; behind cached keys several queries need the mask itself, one needs none.
  std::optional<torch::Tensor> mask;
  if (queries > 1 && queries < keys) mask = causal_mask(queries, keys, q.device());
  return torch::scaled_dot_product_attention(q, k, v, mask, /*dropout_p=*/0, /*is_causal=*/queries > 1 && !mask,
                                             /*scale=*/std::nullopt, /*enable_gqa=*/q.size(1) != k.size(1));
}

}  // namespace

std::pair<torch::Tensor, torch::Tensor> KeyValues::append(const torch::Tensor& k, const torch::Tensor& v) {
  const torch::NoGradGuard no_grad;
  const int64_t before = length_, time = k.size(2);
  length_ += time;
  const auto place = [&](torch::Tensor& all, const torch::Tensor& fresh) {
    if (!all.defined() || all.size(2) < length_) {
      std::vector<int64_t> shape = fresh.sizes().vec();
      shape[2] = std::max(length_, 2 * before);  // doubling: appending stays linear over a text
      const torch::Tensor larger = torch::empty(shape, fresh.options());
      if (before > 0) larger.narrow(2, 0, before).copy_(all.narrow(2, 0, before));
      all = larger;
    }
    all.narrow(2, before, time).copy_(fresh);
    return all.narrow(2, 0, length_);
  };
  const torch::Tensor keys = place(keys_, k);
  return {keys, place(values_, v)};
}

torch::Tensor causal_attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                               const AttentionOptions& options, const Pass& pass, const std::string& layer,
                               KeyValues* cache) {
  torch::Tensor queries = split_heads(in_compute_type(q, pass), options.heads);
  torch::Tensor keys = split_heads(in_compute_type(k, pass), options.kv_heads);
  torch::Tensor values = split_heads(in_compute_type(v, pass), options.kv_heads);
  if (options.rotary) {
    const int64_t first = cache ? cache->length() : 0;
    queries = options.rotary->rotate(queries, first);
    keys = options.rotary->rotate(keys, first);
  }
  if (cache) std::tie(keys, values) = cache->append(keys, values);
  const bool drops = pass.training && options.dropout > 0;
  return merge_heads(drops ? attend_with_dropout(queries, keys, values, options.dropout, pass, layer)
                           : attend(queries, keys, values));
}

}  // namespace sst::nn
