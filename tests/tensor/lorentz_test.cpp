#include "tensor/lorentz.hpp"

#include "tensor/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/gradient_check.hpp"
#include "tests/support/vectors.hpp"

namespace sst::tensor::lorentz {

using testing::agrees;
using testing::hybonet_vectors;

TEST_CASE("functions of one tensor give the published values", "[tensor]") {
  using Function = torch::Tensor (*)(const torch::Tensor&);
  struct Row {
    const char* name;
    const char* input;
    const char* output;
    Function function;
  };
  const auto row =
      GENERATE(Row{"acosh_clamped", "x", "value", acosh_clamped}, Row{"sqrt_leaky_clamped", "x", "value", sqrt_clamped},
               Row{"expmap0", "u", "y", expmap0}, Row{"expmap0_nonzero_time", "u", "y", expmap0},
               Row{"logmap0", "y", "u", logmap0}, Row{"projx", "x", "y", projx},
               Row{"minkowski_inner", "u", "norm", [](const torch::Tensor& u) { return minkowski_norm(u); }});
  CAPTURE(row.name);
  const auto vectors = hybonet_vectors(row.name);
  if (!vectors) return;
  CHECK(agrees(row.function(vectors->in(row.input)), vectors->out(row.output)));
}

TEST_CASE("functions of two tensors give the published values", "[tensor]") {
  using Function = torch::Tensor (*)(const torch::Tensor&, const torch::Tensor&);
  struct Row {
    const char* name;
    const char* first;
    const char* second;
    const char* output;
    Function function;
  };
  const auto row = GENERATE(
      Row{"minkowski_inner", "u", "v", "inner", [](const auto& u, const auto& v) { return minkowski_inner(u, v); }},
      Row{"minkowski_inner", "u", "v", "inner_keepdim",
          [](const auto& u, const auto& v) { return minkowski_inner(u, v, true); }},
      Row{"minkowski_cinner", "x", "y", "cinner", minkowski_cross}, Row{"sqdist", "x", "y", "sqdist", squared_distance},
      Row{"dist", "x", "y", "dist", [](const auto& x, const auto& y) { return distance(x, y); }},
      Row{"expmap", "x", "u", "y", expmap}, Row{"expmap", "x", "u", "tangent", proju},
      Row{"expmap_clamped", "x", "u", "y", expmap}, Row{"logmap", "x", "y", "u", logmap},
      Row{"proju", "x", "v", "y", proju}, Row{"egrad2rgrad", "x", "grad", "rgrad", egrad2rgrad},
      Row{"mid_point", "x", "w", "weighted", [](const auto& x, const auto& w) { return centroid(x, w); }},
      Row{"mid_point", "x", "w", "unweighted", [](const auto& x, const auto&) { return centroid(x); }});
  CAPTURE(row.name, row.output);
  const auto vectors = hybonet_vectors(row.name);
  if (!vectors) return;
  CHECK(agrees(row.function(vectors->in(row.first), vectors->in(row.second)), vectors->out(row.output)));
}

TEST_CASE("parallel transport gives the published values", "[tensor]") {
  const auto vectors = hybonet_vectors("parallel_transport");
  if (!vectors) return;
  CHECK(agrees(transport(vectors->in("x"), vectors->in("y"), vectors->in("v")), vectors->out("w")));
}

TEST_CASE("clamped functions have the published derivatives", "[tensor]") {
  using Function = torch::Tensor (*)(const torch::Tensor&);
  const auto [name, function] = GENERATE(std::pair<const char*, Function>{"acosh_clamped", acosh_clamped},
                                         std::pair<const char*, Function>{"sqrt_leaky_clamped", sqrt_clamped});
  CAPTURE(name);
  const auto vectors = hybonet_vectors(name);
  if (!vectors) return;
  const torch::Tensor x = vectors->in("x").requires_grad_();
  function(x).sum().backward();
  CHECK(agrees(x.grad(), vectors->out("derivative")));
}

TEST_CASE("the exponential map at the origin has the published gradient", "[tensor]") {
  const auto vectors = hybonet_vectors("expmap0_gradient");
  if (!vectors) return;
  const torch::Tensor u = vectors->in("u").requires_grad_();
  expmap0(u).backward(vectors->in("R"));
  CHECK(agrees(u.grad(), vectors->out("grad_u")));
}

TEST_CASE("the logarithm undoes the exponential map", "[tensor]") {
  const CounterRng rng(3, Stream::kInit);
  const torch::Tensor x = expmap0(normal({4, 5}, 0, 0.5, rng, torch::kFloat64));
  const torch::Tensor u = proju(x, normal({4, 5}, 0, 0.3, {3, Stream::kInit, 1}, torch::kFloat64));
  constexpr double kConditioning = 1e-7;  // y + <x,y> x cancels digits
  CHECK((logmap(x, expmap(x, u)) - u).abs().max().item<double>() < kConditioning);
  CHECK(torch::equal(logmap0(torch::tensor({1., 0., 0.}, torch::kFloat64)), torch::zeros({3}, torch::kFloat64)));
}

TEST_CASE("every map is differentiable in all its arguments", "[tensor]") {
  const auto draw = [](uint64_t index) { return normal({3, 4}, 0, 0.7, {3, Stream::kInit, index}, torch::kFloat64); };
  const torch::Tensor x = expmap0(draw(1)), y = expmap0(draw(2)), v = draw(3);
  using testing::gradient_error;
  CHECK(gradient_error([](const auto& t) { return expmap(t[0], t[1]); }, {x, v}) < testing::kGradientTolerance);
  CHECK(gradient_error([](const auto& t) { return logmap(t[0], t[1]); }, {x, y}) < testing::kGradientTolerance);
  CHECK(gradient_error([](const auto& t) { return transport(t[0], t[1], t[2]); }, {x, y, v}) <
        testing::kGradientTolerance);
  CHECK(gradient_error([](const auto& t) { return logmap0(projx(t[0])); }, {v}) < testing::kGradientTolerance);
}

}  // namespace sst::tensor::lorentz
