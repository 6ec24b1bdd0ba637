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

/// Which of `keys` tokens each of the last `queries` of them may look at, bool [queries, keys].
torch::Tensor causal_mask(int64_t queries, int64_t keys, torch::Device device) {
  return torch::ones({queries, keys}, torch::TensorOptions(torch::kBool).device(device)).tril(keys - queries);
}

/// Which keys may be looked at, bool and broadcastable to [batch, heads, queries, keys]; nothing where all may.
std::optional<torch::Tensor> allowed(const AttentionMask& mask, int64_t queries, int64_t keys, torch::Device device) {
  std::optional<torch::Tensor> result;
  if (mask.causal && queries > 1) result = causal_mask(queries, keys, device);
  if (mask.padding.defined()) {
    const torch::Tensor tokens = mask.padding.logical_not().unsqueeze(1).unsqueeze(1);  // [batch, 1, 1, keys]
    result = result ? tokens.logical_and(*result) : tokens;
  }
  return result;
}

/// softmax of the scores [..., queries, keys], in float32 or better.
torch::Tensor attention_weights(const torch::Tensor& q, const torch::Tensor& k, const std::optional<torch::Tensor>& may,
                                std::optional<double> scale) {
  const auto soft = q.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const torch::Tensor queries = scale ? q * *scale : q / std::sqrt(static_cast<double>(q.size(-1)));
  torch::Tensor scores = torch::matmul(queries, k.transpose(-2, -1));
  if (may) scores = scores.masked_fill(may->logical_not(), -std::numeric_limits<double>::infinity());
  return scores.softmax(-1, soft);
}

/// The same product spelt out, because a fused kernel would draw its mask from a global generator.
torch::Tensor attend_with_dropout(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                                  const AttentionMask& mask, const AttendOptions& options, const Pass& pass,
                                  const std::string& layer) {
  const int64_t group = q.size(1) / k.size(1);
  const torch::Tensor keys = group == 1 ? k : k.repeat_interleave(group, 1);
  const torch::Tensor values = group == 1 ? v : v.repeat_interleave(group, 1);
  const torch::Tensor weights = attention_weights(q, keys, allowed(mask, q.size(2), k.size(2), q.device()),
                                                  options.scale);  // [batch, heads, queries, keys]
  return torch::matmul(dropout(weights, options.dropout, pass, layer).to(v.scalar_type()), values);
}

/// Whether bfloat16 is to be widened first: on a CPU LibTorch's fused kernel makes a oneDNN primitive for every head and block
/// of it, which takes longer than the products of short sequences. Measured: 1.7 times as fast at 128 tokens, 5 at 64, even
/// at 512.
bool is_faster_in_float32(const torch::Tensor& q, const torch::Tensor& k, const Pass& pass) {
  return pass.may_widen_attention && q.is_cpu() && q.scalar_type() == torch::kBFloat16 && k.size(2) <= kShortSequence;
}

torch::Tensor attend_fused(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                           const AttentionMask& mask, std::optional<double> scale, const Pass& pass) {
  if (is_faster_in_float32(q, k, pass)) {
    const auto wide = torch::kFloat32;
    return attend_fused(q.to(wide), k.to(wide), v.to(wide), mask, scale, pass).to(q.scalar_type());
  }
  const int64_t queries = q.size(2), keys = k.size(2);
  // is_causal means "as many queries as keys"; behind cached keys several queries need the mask itself, one needs none.
  const bool plain_causal = mask.causal && queries == keys && queries > 1 && !mask.padding.defined();
  const auto may = plain_causal ? std::nullopt : allowed(mask, queries, keys, q.device());
  return torch::scaled_dot_product_attention(q, k, v, may, /*dropout_p=*/0, plain_causal, scale,
                                             /*enable_gqa=*/q.size(1) != k.size(1));
}

}  // namespace

torch::Tensor split_heads(const torch::Tensor& x, int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

torch::Tensor merge_heads(const torch::Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0), x.size(2), x.size(1) * x.size(3)});
}

torch::Tensor attend(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v, const AttentionMask& mask,
                     const AttendOptions& options, const Pass& pass, const std::string& layer) {
  const bool drops = pass.training && options.dropout > 0;
  return drops ? attend_with_dropout(q, k, v, mask, options, pass, layer)
               : attend_fused(q, k, v, mask, options.scale, pass);
}

torch::Tensor first_head_weights(const torch::Tensor& q, const torch::Tensor& k, const AttentionMask& mask,
                                 std::optional<double> scale) {
  const auto may = allowed(mask, q.size(2), k.size(2), q.device());
  return attention_weights(q.narrow(1, 0, 1), k.narrow(1, 0, 1), may, scale).squeeze(1);
}

torch::Tensor select_rows(const torch::Tensor& all, const std::vector<int64_t>& rows) {
  std::vector<int64_t> to, from;
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i] != static_cast<int64_t>(i)) {
      to.push_back(static_cast<int64_t>(i));
      from.push_back(rows[i]);
    }
  torch::Tensor kept = all;
  if (!to.empty()) {
    const torch::NoGradGuard no_grad;
    const auto index = [&](const std::vector<int64_t>& list) {
      return torch::tensor(list, torch::kInt64).to(all.device());
    };
    kept.index_copy_(0, index(to), kept.index_select(0, index(from)));
  }
  return kept.narrow(0, 0, static_cast<int64_t>(rows.size()));
}

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

void KeyValues::select(const std::vector<int64_t>& rows) {
  if (length_ == 0) return;
  const auto move = [&](torch::Tensor& all) {
    select_rows(all.narrow(2, 0, length_), rows);
    all = all.narrow(0, 0, static_cast<int64_t>(rows.size()));
  };
  move(keys_);
  move(values_);
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
  return merge_heads(attend(queries, keys, values, {.causal = true}, {.dropout = options.dropout}, pass, layer));
}

}  // namespace sst::nn
