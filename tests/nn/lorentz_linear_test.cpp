#include "nn/lorentz_linear.hpp"

#include <torch/utils.h>

#include "tensor/lorentz.hpp"
#include "tests/support/build.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/draws.hpp"
#include "tests/support/gradient_check.hpp"
#include "tests/support/set_tensors.hpp"
#include "tests/support/vectors.hpp"

namespace sst::nn {
namespace {

using testing::agrees;
using testing::draw;
using testing::hybonet_vectors;
using testing::kDouble;
using testing::kRounding;

const Pass kEvaluation{};

/// A layer with the weights of a case: W and s always, b where the case has one.
std::shared_ptr<LorentzLinear> layer_of(const testing::VectorCase& vectors, const torch::Tensor& weight, bool relu) {
  const bool bias = vectors.inputs().contains("b");
  const auto layer = std::make_shared<LorentzLinear>(
      LorentzLinearOptions{.in = weight.size(1), .out = weight.size(0), .bias = bias, .relu = relu}, kDouble, "layer");
  std::map<std::string, torch::Tensor> values{{"weight.weight", weight}, {"scale", vectors.in("s")}};
  if (bias) values["weight.bias"] = vectors.in("b");
  testing::set_tensors(*layer, values);
  return layer;
}

torch::Tensor gradient_of(const LorentzLinear& layer, const std::string& name) {
  return layer.named_parameters()[name].grad();
}

}  // namespace

TEST_CASE("the Lorentz linear layer gives the published values and gradients", "[nn]") {
  const auto [name, relu] = GENERATE(std::pair{"lorentz_linear", false}, std::pair{"lorentz_linear_relu", true});
  CAPTURE(name);
  const auto vectors = hybonet_vectors(name);
  if (!vectors) return;
  const auto layer = layer_of(*vectors, vectors->in("W"), relu);
  const torch::Tensor x = vectors->in("x").requires_grad_();
  const torch::Tensor out = layer->forward(x, kEvaluation);
  CHECK(agrees(out, vectors->out("out")));
  out.backward(vectors->in("R"));
  CHECK(agrees(x.grad(), vectors->out("grad_x")));
  CHECK(agrees(gradient_of(*layer, "weight.weight"), vectors->out("grad_W")));
  CHECK(agrees(gradient_of(*layer, "weight.bias"), vectors->out("grad_b")));
  CHECK(agrees(gradient_of(*layer, "scale"), vectors->out("grad_s")));
}

TEST_CASE("a given dropout mask, an active floor and a missing bias give the published values", "[nn]") {
  const std::string name = GENERATE("lorentz_linear_dropout", "lorentz_linear_clamped", "lorentz_linear_nobias");
  CAPTURE(name);
  const auto vectors = hybonet_vectors(name);
  if (!vectors) return;
  torch::Tensor x = vectors->in("x");
  if (vectors->inputs().contains("mask")) x = x * vectors->in("mask") / (1 - vectors->in_number("p"));
  CHECK(agrees(layer_of(*vectors, vectors->in("W"), false)->forward(x, kEvaluation), vectors->out("out")));
}

TEST_CASE("a map written as U diag(sigma) Vt gives the published values, its dL/dW is G", "[nn]") {
  const auto vectors = hybonet_vectors("lorentz_linear_spectral");
  if (!vectors) return;
  const torch::Tensor weight = (vectors->in("U") * vectors->in("sigma")).mm(vectors->in("V").t());  // [out, in]
  const auto layer = layer_of(*vectors, weight, false);
  const torch::Tensor x = vectors->in("x").requires_grad_();
  const torch::Tensor out = layer->forward(x, kEvaluation);
  CHECK(agrees(out, vectors->out("out")));
  out.backward(vectors->in("R"));
  CHECK(agrees(gradient_of(*layer, "weight.weight"), vectors->out("G")));
  CHECK(agrees(x.grad(), vectors->out("grad_x")));
  CHECK(agrees(gradient_of(*layer, "weight.bias"), vectors->out("grad_b")));
  CHECK(agrees(gradient_of(*layer, "scale"), vectors->out("grad_s")));
}

TEST_CASE("a fresh layer has a zero bias, scale log 10, and a bounded W whose first column is zero", "[nn]") {
  LinearSpec asked;
  const Build build{.linear =
                        [&](const LinearSpec& spec) {
                          asked = spec;
                          return dense_factory()(spec);
                        },
                    .seed = 5,
                    .tensors = torch::kFloat64};
  const LorentzLinear layer({.in = 300, .out = 16}, build, "encoder.layers.0.linear");
  CHECK(asked.name == "encoder.layers.0.linear.weight");
  CHECK(asked.in_block);
  const torch::Tensor weight = layer.named_parameters()["weight.weight"];
  CHECK(torch::equal(weight, asked.initial_weight));
  CHECK(torch::equal(weight.select(1, 0), torch::zeros({16}, torch::kFloat64)));
  CHECK(weight.abs().max().item<double>() <= 0.25);
  CHECK(weight.abs().max().item<double>() > 0.249);
  CHECK(torch::equal(layer.named_parameters()["weight.bias"], torch::zeros({16}, torch::kFloat64)));
  CHECK(layer.named_parameters()["scale"].item<double>() == Approx(std::log(10)));

  const auto vectors = hybonet_vectors("lorentz_linear_initial_facts");
  if (!vectors) return;
  const LorentzLinear small({.in = 5, .out = 4}, kDouble, "layer");
  CHECK(agrees(small.named_parameters()["scale"], vectors->out("s")));
  CHECK(agrees(small.named_parameters()["weight.bias"], vectors->out("bias")));
  CHECK(agrees(small.named_parameters()["weight.weight"].select(1, 0), vectors->out("column0")));
  CHECK(small.named_parameters()["weight.weight"].abs().max().item<double>() <= vectors->out_number("bound"));
}

TEST_CASE("initial values depend on the seed and on the layer's name only", "[nn]") {
  const auto weight = [](uint64_t seed, const std::string& name) {
    const Build build{.linear = dense_factory(), .seed = seed, .tensors = torch::kFloat32};
    return LorentzLinear({.in = 5, .out = 4}, build, name).named_parameters()["weight.weight"].detach();
  };
  CHECK(torch::equal(weight(1, "a"), weight(1, "a")));
  CHECK_FALSE(torch::equal(weight(1, "a"), weight(2, "a")));
  CHECK_FALSE(torch::equal(weight(1, "a"), weight(1, "b")));
}

TEST_CASE("training drops the layer's input by the pass's own mask, evaluation drops nothing", "[nn]") {
  LorentzLinear layer({.in = 6, .out = 4, .dropout = 0.5}, kDouble, "layer");
  const torch::Tensor x = draw({30, 6}, 1);
  const Pass pass{.training = true, .seed = 9, .step = 3};
  const torch::Tensor dropped = tensor::Rows(x).dropout(0.5, pass.dropout_rng("layer")).dense();
  CHECK(torch::equal(layer.forward(x, pass), layer.forward(dropped, kEvaluation)));
  CHECK_FALSE(torch::equal(layer.forward(x, pass), layer.forward(x, kEvaluation)));
  CHECK_FALSE(torch::equal(layer.forward(x, pass), layer.forward(x, {.training = true, .seed = 9, .step = 4})));
}

TEST_CASE("the fused lift equals the plain formula and has its gradient", "[nn]") {
  const int64_t dim = GENERATE(2, 4, 9, 16, 40);
  CAPTURE(dim);
  torch::Tensor y = draw({12, dim}, 2);
  y[3].narrow(0, 1, dim - 1) *= 1e-6;  // below the floor
  y[4].narrow(0, 1, dim - 1).zero_();
  const torch::Tensor scale = torch::full({}, 1.7, torch::kFloat64);
  const auto run = [&](auto lift) {
    const torch::Tensor in = y.clone().requires_grad_(), s = scale.clone().requires_grad_();
    const torch::Tensor out = lift(in, s);
    out.backward(draw({12, dim}, 3));
    return std::vector{out.detach(), in.grad(), s.grad()};
  };
  const auto fused = run(lift_to_hyperboloid), plain = run(lift_to_hyperboloid_plain);
  for (size_t i = 0; i < fused.size(); ++i) CHECK(torch::allclose(fused[i], plain[i], kRounding, kRounding));
  const torch::Tensor square = tensor::lorentz::minkowski_inner(fused[0], fused[0]).narrow(0, 5, 7);
  CHECK(torch::allclose(square, -torch::ones({7}, torch::kFloat64), 1e-11, 1e-11));
}

TEST_CASE("the fused lift passes the check by central differences", "[nn]") {
  const double error = testing::gradient_error([](const auto& t) { return lift_to_hyperboloid(t[0], t[1]); },
                                               {draw({5, 7}, 4), draw({}, 5)});
  CHECK(error < testing::kGradientTolerance);
}

TEST_CASE("the lift has the same bits with one thread and with several", "[nn]") {
  const torch::Tensor y = draw({40000, 16}, 6).to(torch::kFloat32);
  const auto run = [&](int threads) {
    torch::set_num_threads(threads);
    const torch::Tensor in = y.clone().requires_grad_(), scale = torch::ones({}).requires_grad_();
    const torch::Tensor out = lift_to_hyperboloid(in, scale);
    out.backward(y);
    return std::vector{out.detach(), in.grad(), scale.grad()};
  };
  const int before = torch::get_num_threads();
  const auto one = run(1), four = run(4);
  torch::set_num_threads(before);
  for (size_t i = 0; i < one.size(); ++i) CHECK(torch::equal(one[i], four[i]));
}

}  // namespace sst::nn
