#include <torch/types.h>

#include "nn/dropout.hpp"
#include "nn/feed_forward.hpp"
#include "nn/lorentz_attention.hpp"
#include "nn/lorentz_embedding.hpp"
#include "nn/lorentz_normalise.hpp"
#include "nn/top_words.hpp"
#include "tensor/lorentz.hpp"
#include "tests/support/build.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/draws.hpp"
#include "tests/support/gradient_check.hpp"
#include "tests/support/mt_vectors.hpp"
#include "tests/support/set_tensors.hpp"

namespace sst::nn {
namespace {

using nlohmann::json;
using testing::close;
using testing::draw;
using testing::kDouble;
using testing::kRounding;
using testing::mt_tensor;
using testing::mt_vectors;
using torch::Tensor;

Tensor gradient_named(const torch::nn::Module& module, const std::string& name) {
  return module.named_parameters()[name].grad();
}

bool single(const json& entry) { return entry.at("name").get<std::string>().ends_with("-f32"); }

/// Weight, bias and scale of a Lorentz layer of the reference, under `prefix`.
void add_layer(std::map<std::string, Tensor>& values, const json& entry, const std::string& prefix,
               const std::string& bias = "bias") {
  values[prefix + "weight.weight"] = mt_tensor(entry.at("weight"));
  values[prefix + "scale"] = mt_tensor(entry.at("scale"));
  if (entry.contains(bias)) values[prefix + "weight.bias"] = mt_tensor(entry.at(bias));
}

/// A case of the reference, which has no map behind its heads.
class AttentionCase final : public LorentzSequenceAttention {
 public:
  explicit AttentionCase(const json& entry)
      : LorentzSequenceAttention(
            {.hidden_size = mt_tensor(entry.at("query_input")).size(2), .heads = entry.at("heads")}, kDouble, "case") {
    std::map<std::string, Tensor> values;
    add_layer(values, entry.at("query"), "q_proj.");
    add_layer(values, entry.at("keys"), "k_proj.");
    add_layer(values, entry.at("values"), "v_proj.");
    values["scale"] = mt_tensor(entry.at("scale"));
    for (const auto& [name, tensor] : stored_tensors(*this))
      if (values.count(name) == 0) values[name] = tensor.detach();
    testing::set_tensors(*this, values);
  }

 protected:
  Tensor after(const Tensor& sums, const Tensor&, const Pass&) override {
    return lorentz_normalise(sums.transpose(1, 2));
  }
};

/// Forbidden positions [batch, 1 or queries, keys] of the reference as our mask.
AttentionMask mask_of(const json& mask) {
  if (mask.is_null()) return {};
  const Tensor forbidden = mt_tensor(mask).to(torch::kBool);
  if (forbidden.size(1) == 1) return {.padding = forbidden.squeeze(1)};
  return {.causal = true, .padding = forbidden.select(1, forbidden.size(1) - 1)};
}

}  // namespace

TEST_CASE("the Lorentz layer of translation gives the published values and gradients", "[nn]") {
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  for (const json& entry : vectors->at("hyperbolic").at("lorentz_linear").at("cases")) {
    CAPTURE(entry.at("name"));
    const int64_t heads = entry.at("head_num").get<int64_t>();
    LorentzLinear layer({.in = entry.at("in_features"),
                         .out = entry.at("out_features"),
                         .bias = entry.at("bias"),
                         .relu = entry.at("relu_first"),
                         .heads = std::max<int64_t>(heads, 1),
                         .split = heads > 0 && !entry.at("merge").get<bool>()},
                        kDouble, "layer");
    std::map<std::string, Tensor> values;
    add_layer(values, entry, "", "bias_vector");
    testing::set_tensors(layer, values);
    const Tensor given = mt_tensor(entry.at("input")).requires_grad_();
    const Tensor x = given.view({given.size(0), given.size(1), -1});
    const Tensor residual = entry.contains("residual") ? mt_tensor(entry.at("residual")).requires_grad_() : Tensor();
    const Tensor expected = mt_tensor(entry.at("output"));
    const Tensor out = layer.forward_sequences(x, {}, residual).view(expected.sizes());
    const double relative = single(entry) ? 1e-4 : testing::kLayerRelative;
    const double absolute = single(entry) ? 1e-5 : testing::kLayerAbsolute;
    CHECK(close(out, expected, relative, absolute));
    out.backward(mt_tensor(entry.at("output_cotangent")));
    CHECK(close(given.grad(), mt_tensor(entry.at("grad_input")), relative, absolute));
    CHECK(close(gradient_named(layer, "weight.weight"), mt_tensor(entry.at("grad_weight")), relative, absolute));
    CHECK(close(gradient_named(layer, "scale"), mt_tensor(entry.at("grad_scale")), relative, absolute));
    if (entry.contains("grad_bias"))
      CHECK(close(gradient_named(layer, "weight.bias"), mt_tensor(entry.at("grad_bias")), relative, absolute));
    if (residual.defined()) CHECK(close(residual.grad(), mt_tensor(entry.at("grad_residual")), relative, absolute));
  }
}

TEST_CASE("a Lorentz layer of translation starts with the published zero columns, bound, bias and scale", "[nn]") {
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  for (const json& entry : vectors->at("hyperbolic").at("lorentz_linear").at("initialisation")) {
    const int64_t in = entry.at("in_features"), heads = std::max<int64_t>(entry.at("head_num").get<int64_t>(), 1);
    const LorentzLinear layer(translation_linear({.in = in, .out = entry.at("out_features"), .heads = heads}), kDouble,
                              "layer");
    const Tensor weight = layer.named_parameters()["weight.weight"].detach();
    const auto zero = entry.at("zero_columns").get<std::vector<int64_t>>();
    for (int64_t column = 0; column < in; ++column)
      CHECK((weight.select(1, column).abs().max().item<double>() == 0) ==
            (std::find(zero.begin(), zero.end(), column) != zero.end()));
    CHECK(weight.abs().max().item<double>() <= entry.at("uniform_bound").get<double>());
    CHECK(layer.named_parameters()["weight.bias"].abs().max().item<double>() == 0);
    CHECK(layer.named_parameters()["scale"].item<double>() == Approx(entry.at("scale_value").get<double>()));
  }
}

TEST_CASE("the Lorentz embedding gives the published values and gradients", "[nn]") {
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  const json& entry = vectors->at("hyperbolic").at("embedding");
  const Tensor table = mt_tensor(entry.at("table")), position = mt_tensor(entry.at("position"));
  LorentzEmbedding embedding({.rows = table.size(0), .width = table.size(1), .positions = position.size(0)}, kDouble,
                             "e");
  testing::set_tensors(embedding, {{"words.weight", table},
                                   {"positions.weight", position},
                                   {"linear.weight.weight", mt_tensor(entry.at("point_weight"))},
                                   {"linear.weight.bias", mt_tensor(entry.at("point_bias"))},
                                   {"linear.scale", mt_tensor(entry.at("point_scale"))}});
  const Tensor out = embedding.forward(mt_tensor(entry.at("tokens")).t(), 0, {}).transpose(0, 1);
  CHECK(close(out, mt_tensor(entry.at("output"))));
  out.backward(mt_tensor(entry.at("output_cotangent")));
  CHECK(close(gradient_named(embedding, "words.weight"), mt_tensor(entry.at("grad_table"))));
  CHECK(close(gradient_named(embedding, "positions.weight"), mt_tensor(entry.at("grad_position"))));
  CHECK(close(gradient_named(embedding, "linear.weight.weight"), mt_tensor(entry.at("grad_point_weight"))));
  const Tensor step =
      embedding.forward(mt_tensor(entry.at("single_step_tokens")).unsqueeze(1), entry.at("single_step_position"), {});
  CHECK(close(step.transpose(0, 1), mt_tensor(entry.at("single_step_output"))));
}

TEST_CASE("tables of words start as points in the published directions", "[nn]") {
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  const json& manifold = vectors->at("hyperbolic").at("manifold");
  const Tensor gaussian = mt_tensor(manifold.at("embedding_init_gaussian"));
  const Tensor points = tensor::lorentz::expmap0(gaussian / gaussian.norm(2, {1}, true));
  CHECK(close(points, mt_tensor(manifold.at("embedding_init"))));
  const Tensor drawn = random_points(50, 6, kDouble, "table");
  CHECK(torch::allclose(tensor::lorentz::minkowski_inner(drawn, drawn), -torch::ones({50}, torch::kFloat64), 0, 1e-9));
  CHECK(torch::equal(drawn, random_points(50, 6, kDouble, "table")));
}

TEST_CASE("Lorentz attention gives the published contexts and gradients under every mask", "[nn]") {
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  for (const json& entry : vectors->at("hyperbolic").at("attention").at("cases")) {
    CAPTURE(entry.at("name"));
    const double relative = single(entry) ? 1e-4 : testing::kLayerRelative;
    const double absolute = single(entry) ? 1e-5 : testing::kLayerAbsolute;
    AttentionCase attention(entry);
    const Tensor x = mt_tensor(entry.at("query_input")).requires_grad_();
    const bool crosses = entry.contains("key_value_input");
    const Tensor memory = crosses ? mt_tensor(entry.at("key_value_input")).requires_grad_() : x;
    const AttentionMask mask = mask_of(entry.at("mask"));
    const Tensor context =
        crosses ? attention.cross(x, attention.keys_values(memory, {}), mask, {}) : attention.self(x, mask, {});
    CHECK(close(context, mt_tensor(entry.at("context")), relative, absolute));
    Tensor weights;
    attention.cross(x, attention.keys_values(memory, {}), mask, {}, &weights);
    CHECK(close(weights, mt_tensor(entry.at("attention")).select(1, 0), relative, absolute));
    context.backward(mt_tensor(entry.at("context_cotangent")));
    CHECK(close(x.grad(), mt_tensor(entry.at("grad_query_input")), relative, absolute));
    if (crosses) CHECK(close(memory.grad(), mt_tensor(entry.at("grad_key_value_input")), relative, absolute));
    const auto check = [&](const std::string& name, const json& expected) {
      const Tensor reference = mt_tensor(expected);
      // Sums over all positions of numbers of either sign: rounding is relative to the largest.
      const double rounding = absolute * std::max(1.0, reference.abs().max().item<double>());
      CHECK(close(gradient_named(attention, name), reference, relative, rounding));
    };
    for (const auto& [theirs, part] :
         {std::pair<std::string, std::string>{"keys", "k_proj"}, {"values", "v_proj"}, {"query", "q_proj"}}) {
      check(part + ".weight.weight", entry.at(theirs).at("grad_weight"));
      check(part + ".scale", entry.at(theirs).at("grad_scale"));
    }
    check("scale", entry.at("grad_scale"));
  }
}

TEST_CASE("the Lorentz feed-forward part gives the published values and gradients", "[nn]") {
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  const json& entry = vectors->at("hyperbolic").at("feed_forward");
  const Tensor x = mt_tensor(entry.at("input")).requires_grad_();
  LorentzFeedForward layer({.hidden_size = x.size(2), .ffn_size = mt_tensor(entry.at("w_1").at("weight")).size(0)},
                           kDouble, "ffn");
  std::map<std::string, Tensor> values;
  add_layer(values, entry.at("w_1"), "fc1.");
  add_layer(values, entry.at("w_2"), "fc2.");
  testing::set_tensors(layer, values);
  const Tensor out = layer.forward(x, {});
  CHECK(close(out, mt_tensor(entry.at("output"))));
  out.backward(mt_tensor(entry.at("output_cotangent")));
  CHECK(close(x.grad(), mt_tensor(entry.at("grad_input"))));
  CHECK(close(gradient_named(layer, "fc1.weight.weight"), mt_tensor(entry.at("grad_w_1_weight"))));
  CHECK(close(gradient_named(layer, "fc2.weight.weight"), mt_tensor(entry.at("grad_w_2_weight"))));
}

TEST_CASE("sinusoidal positions are the published ones and have one row per position", "[nn]") {
  CHECK(sinusoids(3, 5, torch::kFloat64).sizes() == std::vector<int64_t>{3, 5});
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  const Tensor expected = mt_tensor(vectors->at("euclidean").at("positional_table"));
  CHECK(close(sinusoids(expected.size(0), expected.size(1), torch::kFloat64), expected, 0, 1e-7));
}

TEST_CASE("attention with a padding mask gives the published values and gradients", "[nn]") {
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  const json& entry = vectors->at("euclidean").at("attention");
  std::map<std::string, Tensor> maps;
  for (const auto& [name, value] : entry.at("parameters").items()) maps[name] = mt_tensor(value).requires_grad_();
  const auto map = [&](const std::string& name, const Tensor& x) {
    return torch::linear(x, maps.at(name + ".weight"), maps.at(name + ".bias"));
  };
  const Tensor x = mt_tensor(entry.at("query_input")).requires_grad_();
  const Tensor memory = mt_tensor(entry.at("key_value_input")).requires_grad_();
  const int64_t heads = entry.at("heads");
  const Tensor q = split_heads(map("linear_query", x), heads), k = split_heads(map("linear_keys", memory), heads);
  const Tensor v = split_heads(map("linear_values", memory), heads);
  const AttentionMask mask = mask_of(entry.at("mask"));
  CHECK(close(first_head_weights(q, k, mask), mt_tensor(entry.at("attention")).select(1, 0)));
  // So small a share drops nothing, but goes the way of one that does.
  const double p = GENERATE(0.0, 1e-14);
  const Tensor out = map("final_linear", merge_heads(attend(q, k, v, mask, {.dropout = p}, {.training = true}, "a")));
  CHECK(close(out, mt_tensor(entry.at("output"))));
  out.backward(mt_tensor(entry.at("output_cotangent")));
  CHECK(close(x.grad(), mt_tensor(entry.at("grad_query_input"))));
  CHECK(close(memory.grad(), mt_tensor(entry.at("grad_key_value_input"))));
  for (const auto& [name, value] : entry.at("gradients").items()) CHECK(close(maps.at(name).grad(), mt_tensor(value)));
}

TEST_CASE("the pre-norm feed-forward part gives the published values and gradients", "[nn]") {
  const json* const vectors = mt_vectors();
  if (vectors == nullptr) return;
  const json& entry = vectors->at("euclidean").at("feed_forward");
  std::map<std::string, Tensor> values;
  for (const auto& [name, value] : entry.at("parameters").items())
    values[testing::mt_name("feed_forward." + name).substr(4)] = mt_tensor(value);
  const Tensor x = mt_tensor(entry.at("input")).requires_grad_();
  TransformerFeedForward layer({.hidden_size = x.size(2), .ffn_size = values.at("fc1.weight").size(0)}, kDouble, "ffn");
  testing::set_tensors(layer, values);
  const Tensor out = layer.forward(x, {});
  CHECK(close(out, mt_tensor(entry.at("output"))));
  out.backward(mt_tensor(entry.at("output_cotangent")));
  CHECK(close(x.grad(), mt_tensor(entry.at("grad_input"))));
}

TEST_CASE("the inner dropout of the feed-forward part has a rate of its own", "[nn]") {
  TransformerFeedForward layer({.hidden_size = 4, .ffn_size = 300, .dropout = 0, .activation_dropout = 0.5}, kDouble,
                               "ffn");
  const Tensor x = draw({2, 3, 4}, 1);
  const Tensor trained = layer.forward(x, {.training = true, .seed = 1});
  CHECK_FALSE(torch::equal(trained, layer.forward(x, {})));
  CHECK(torch::equal(trained, layer.forward(x, {.training = true, .seed = 1})));
}

TEST_CASE("with the norm behind its parts a block gives what has zero mean and unit variance", "[nn]") {
  const Tensor x = draw({2, 3, 8}, 1) * 3 + 1;
  TransformerFeedForward feed_forward({.hidden_size = 8, .ffn_size = 16, .norm_place = NormPlace::kAfter}, kDouble,
                                      "ffn");
  TransformerAttention attention({.hidden_size = 8, .heads = 2, .norm_place = NormPlace::kAfter}, kDouble, "attn");
  for (const Tensor& out : {feed_forward.forward(x, {}), attention.self(x, {}, {})}) {
    CHECK(out.mean(-1).abs().max().item<double>() < 1e-12);
    CHECK((out.var(-1, /*unbiased=*/false) - 1).abs().max().item<double>() < 1e-4);
  }
  // With zero maps the sublayer is the norm of its input alone.
  const torch::NoGradGuard no_grad;
  for (auto& parameter : feed_forward.named_parameters())
    if (parameter.key().rfind("fc", 0) == 0) parameter.value().zero_();
  CHECK(close(feed_forward.forward(x, {}), torch::layer_norm(x, {8}, {}, {}, 1e-6)));
}

TEST_CASE("a padding row starts at zero and gets no gradient from being looked up", "[nn]") {
  SinusoidalEmbedding embedding({.rows = 6, .width = 4, .positions = 9, .padding_row = 1}, kDouble, "embed");
  const Tensor out = embedding.forward(torch::tensor({{3, 1, 1}}, torch::kInt64), 0, {});
  CHECK(torch::equal(out[0][1], sinusoids(9, 4, torch::kFloat64)[1]));
  out.sum().backward();
  const Tensor gradient = embedding.words()->weight().grad();
  CHECK(gradient[1].abs().max().item<double>() == 0);
  CHECK(gradient[3].abs().max().item<double>() == 2);
}

TEST_CASE("rows of a cache move to where their beams are, and the rest of it stays", "[nn]") {
  KeyValues cache;
  const torch::NoGradGuard no_grad;
  const Tensor k = draw({4, 2, 3, 5}, 1), v = draw({4, 2, 3, 5}, 2), next = draw({3, 2, 1, 5}, 3);
  cache.append(k, v);
  cache.select({0, 0, 3});
  const auto [keys, values] = cache.append(next, next);
  const Tensor from = torch::tensor({0, 0, 3}, torch::kInt64);
  CHECK(torch::equal(keys, torch::cat({k.index_select(0, from), next}, 2)));
  CHECK(torch::equal(values, torch::cat({v.index_select(0, from), next}, 2)));
  cache.select({2, 1});
  CHECK(torch::equal(cache.append(next.narrow(0, 0, 2), next.narrow(0, 0, 2)).first.narrow(2, 0, 4),
                     keys.clone().index_select(0, torch::tensor({0, 1}, torch::kInt64))));
}

TEST_CASE("the fused normalisation equals the plain one and has its gradient", "[nn]") {
  const Tensor h = draw({2, 3, 4, 6}, 5).transpose(1, 2);
  CHECK(torch::allclose(lorentz_normalise(h), tensor::lorentz::normalise(h), kRounding, kRounding));
  CHECK(testing::gradient_error([](const auto& in) { return lorentz_normalise(in[0].transpose(0, 1)); },
                                {draw({3, 4, 6}, 6)}) < testing::kGradientTolerance);
}

TEST_CASE("the likeliest words are those of a sort, the first of equals, with their log softmax", "[nn]") {
  const auto type = GENERATE(torch::kFloat64, torch::kFloat32);
  Tensor scores = draw({5, 333}, 1).to(type);
  scores[2].fill_(1.5);                    // all alike
  scores[3].narrow(0, 100, 200).fill_(9);  // equals that are the largest
  const int64_t count = GENERATE(1, 4, 333);
  const TopWords top = top_words(scores, count);
  const auto [sorted, order] = scores.sort(/*stable=*/true, /*dim=*/1, /*descending=*/true);
  CHECK(torch::equal(top.words, order.narrow(1, 0, count)));
  const Tensor expected = scores.to(torch::kFloat64).log_softmax(1).gather(1, top.words);
  CHECK(torch::allclose(top.log_p, expected, 0, type == torch::kFloat64 ? kRounding : 1e-5));
  scores[0][7] = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(top_words(scores, count).log_p[0].isfinite().any().item<bool>());
}

TEST_CASE("dropout keeps the entries that its stream of draws says, forward and backward", "[nn]") {
  const auto type = GENERATE(torch::kFloat64, torch::kFloat32);
  const Tensor x = draw({3, 7, 333}, 2).to(type).requires_grad_();
  const Pass pass{.training = true, .seed = 5, .step = 9, .first_row = 4};
  std::vector<Tensor> factors;
  for (int64_t row = 0; row < 3; ++row)
    factors.push_back(tensor::dropout_factors(7 * 333, 0.3, pass.dropout_rng("layer", 4 + row), type));
  const Tensor expected = torch::stack(factors).view(x.sizes());
  const Tensor out = dropout(x, 0.3, pass, "layer");
  CHECK(torch::equal(out, (x * expected).detach()));
  out.transpose(0, 1).backward(torch::ones({7, 3, 333}, type));
  CHECK(torch::equal(x.grad(), expected));
}

}  // namespace sst::nn
