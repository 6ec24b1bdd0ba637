#include "core/error.hpp"
#include "nn/attention.hpp"
#include "nn/build.hpp"
#include "nn/dropout.hpp"
#include "nn/norm.hpp"
#include "nn/recompute.hpp"
#include "tests/support/build.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/draws.hpp"
#include "tests/support/gradient_check.hpp"

namespace sst::nn {
namespace {

using testing::draw;
using testing::kDouble;
using testing::kGradientTolerance;
using testing::kRounding;
using torch::Tensor;

double largest(const Tensor& x) { return x.abs().max().item<double>(); }

/// The definition, head by head and query by query.
Tensor attention_by_hand(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads, int64_t kv_heads) {
  const int64_t dim = q.size(2) / heads;
  const Tensor out = torch::zeros_like(q);
  for (int64_t b = 0; b < q.size(0); ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t t = 0; t < q.size(1); ++t) {
        const int64_t from = h / (heads / kv_heads) * dim;
        const Tensor keys = k[b].narrow(0, 0, t + 1).narrow(1, from, dim);
        const Tensor values = v[b].narrow(0, 0, t + 1).narrow(1, from, dim);
        const Tensor scores = keys.mv(q[b][t].narrow(0, h * dim, dim)) / std::sqrt(static_cast<double>(dim));
        out[b][t].narrow(0, h * dim, dim).copy_(values.t().mv(scores.softmax(0)));
      }
  return out;
}

}  // namespace

TEST_CASE("attention is its definition, fused and spelt out, with shared keys and without", "[nn]") {
  const int64_t kv_heads = GENERATE(4, 2, 1);
  CAPTURE(kv_heads);
  const Tensor q = draw({2, 5, 12}, 1), k = draw({2, 5, 3 * kv_heads}, 2), v = draw({2, 5, 3 * kv_heads}, 3);
  const Tensor expected = attention_by_hand(q, k, v, 4, kv_heads);
  CHECK(largest(causal_attention(q, k, v, {.heads = 4, .kv_heads = kv_heads}, {}, "layer") - expected) < kRounding);
  // So small a share drops nothing, but goes the way of one that does.
  const AttentionOptions dropping{.heads = 4, .kv_heads = kv_heads, .dropout = 1e-14};
  CHECK(largest(causal_attention(q, k, v, dropping, {.training = true}, "layer") - expected) < kRounding);
}

TEST_CASE("attention in bfloat16 is that in float32 to bfloat16's rounding, over short sequences and long ones",
          "[nn]") {
  const int64_t keys = GENERATE(8, kShortSequence, kShortSequence + 1), kv_heads = GENERATE(2, 4);
  const bool has_padding = GENERATE(false, true), widens = GENERATE(false, true);
  CAPTURE(keys, kv_heads, has_padding, widens);
  const auto wide = torch::kFloat32, narrow = torch::kBFloat16;
  const auto leaf = [&](int64_t heads, int stream) {
    return draw({2, heads, keys, 8}, stream).to(narrow).requires_grad_();
  };
  const torch::Tensor q = leaf(4, 1), k = leaf(kv_heads, 2), v = leaf(kv_heads, 3);
  AttentionMask mask{.causal = true};
  if (has_padding) mask.padding = torch::arange(keys).unsqueeze(0).expand({2, keys}) >= keys - 2;
  const auto with_gradients = [&](torch::ScalarType type) {
    const torch::Tensor out =
        attend(q.to(type), k.to(type), v.to(type), mask, {}, {.may_widen_attention = widens}, "a");
    CHECK(out.scalar_type() == type);
    const auto gradients = torch::autograd::grad({out.to(wide).square().sum()}, {q, k, v});
    return std::vector{out.to(wide), gradients[0].to(wide), gradients[1].to(wide), gradients[2].to(wide)};
  };
  const auto exact = with_gradients(wide), rounded = with_gradients(narrow);
  for (size_t i = 0; i < exact.size(); ++i)
    CHECK((rounded[i] - exact[i]).norm().item<double>() < 0.03 * exact[i].norm().item<double>());
}

TEST_CASE("attention and rotary positions have the gradient of their values", "[nn]") {
  const AttentionOptions options{
      .heads = 2, .kv_heads = 1, .rotary = std::make_shared<const Rotary>(8, 4, 100.0, torch::kFloat64)};
  const auto f = [&](const std::vector<Tensor>& in) {
    return causal_attention(in[0], in[1], in[2], options, {}, "layer");
  };
  CHECK(testing::gradient_error(f, {draw({1, 4, 8}, 1), draw({1, 4, 4}, 2), draw({1, 4, 4}, 3)}) < kGradientTolerance);
}

TEST_CASE("a rotation keeps lengths and looks only at the distance of two tokens", "[nn]") {
  const Rotary rotary(32, 6, 10000.0, torch::kFloat64);
  const Tensor q = draw({1, 1, 1, 6}, 1), k = draw({1, 1, 1, 6}, 2);
  const auto product = [&](int64_t at, int64_t other) {
    return (rotary.rotate(q, at) * rotary.rotate(k, other)).sum().item<double>();
  };
  CHECK(rotary.rotate(q, 17).norm().item<double>() == Approx(q.norm().item<double>()).epsilon(kRounding));
  CHECK(product(9, 4) == Approx(product(25, 20)).epsilon(kRounding));
  CHECK(product(9, 4) != Approx(product(9, 5)).epsilon(1e-3));
}

TEST_CASE("norms have the gradient of their values", "[nn]") {
  LayerNorm layer(5, 1e-5, kDouble);
  RmsNorm rms(5, 1e-6, kDouble);
  CHECK(testing::gradient_error([&](const auto& in) { return layer.forward(in[0]); }, {draw({3, 5}, 1)}) <
        kGradientTolerance);
  CHECK(testing::gradient_error([&](const auto& in) { return rms.forward(in[0]); }, {draw({3, 5}, 1)}) <
        kGradientTolerance);
  const Tensor x = draw({3, 5}, 1);
  CHECK(largest(rms.forward(x).detach() - x / (x.square().mean(-1, true) + 1e-6).sqrt()) < kRounding);
}

TEST_CASE("dropout keeps the expected share, scaled, and nothing changes outside training", "[nn]") {
  const Tensor x = torch::ones({4, 5000});
  const Tensor y = dropout(x, 0.25, {.training = true, .seed = 3}, "layer");
  CHECK(y.mean().item<double>() == Approx(1).epsilon(0.02));
  CHECK((y == 0).to(torch::kFloat64).mean().item<double>() == Approx(0.25).epsilon(0.05));
  CHECK_FALSE(torch::equal(y[0], y[1]));
  CHECK(torch::equal(dropout(x, 0.25, {}, "layer"), x));
}

TEST_CASE("what is computed again is computed twice, and gives the same gradients", "[nn]") {
  const Tensor w = draw({3, 3}, 1).requires_grad_(), x = draw({2, 3}, 2).requires_grad_();
  int calls = 0;
  const auto f = [&](const Tensor& in) {
    ++calls;
    return in.mm(w).tanh();
  };
  const auto kept = torch::autograd::grad({f(x).square().sum()}, {x, w});
  calls = 0;
  recomputed(f, x).square().sum().backward();
  CHECK(calls == 2);
  CHECK((torch::equal(x.grad(), kept[0]) && torch::equal(w.grad(), kept[1])));
  w.mutable_grad() = Tensor();
  recomputed(f, x.detach()).square().sum().backward();  // an input without a gradient of its own
  CHECK(torch::equal(w.grad(), kept[1]));
}

TEST_CASE("tensors that do not fit a model are all named, and none is taken", "[nn]") {
  torch::nn::Module model("model");
  const auto map = model.register_module("map", normal_linear(kDouble, {.in = 3, .out = 2, .name = "map"}, 1));
  model.register_module("norm", std::make_shared<LayerNorm>(2, 1e-5, kDouble));
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, tensor] : dense_tensors(model)) tensors[name] = torch::full_like(tensor, 7);
  load_dense_tensors(model, tensors);
  CHECK(torch::equal(map->dense_weight(), torch::full({2, 3}, 7.0, torch::kFloat64)));
  for (auto& [name, tensor] : tensors) tensor = torch::zeros_like(tensor);
  tensors["map.weight"] = torch::zeros({3, 2});
  tensors["other"] = torch::zeros({1});
  tensors.erase("norm.bias");
  CHECK_THROWS_WITH(load_dense_tensors(model, tensors), ContainsSubstring("'map.weight' has another shape") &&
                                                            ContainsSubstring("'other' is unknown") &&
                                                            ContainsSubstring("'norm.bias' is missing"));
  CHECK(largest(map->bias().detach() - 7) == 0);
}

}  // namespace sst::nn
