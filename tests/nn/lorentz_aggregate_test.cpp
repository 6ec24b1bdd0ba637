#include "nn/lorentz_aggregate.hpp"

#include "tensor/lorentz.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/draws.hpp"
#include "tests/support/gradient_check.hpp"
#include "tests/support/set_tensors.hpp"
#include "tests/support/sparse.hpp"
#include "tests/support/vectors.hpp"

namespace sst::nn {
namespace {

using testing::agrees;
using testing::draw;
using testing::hybonet_vectors;

}  // namespace

TEST_CASE("the aggregation gives the published values and gradient", "[nn]") {
  const auto vectors = hybonet_vectors("lorentz_agg");
  if (!vectors) return;
  const torch::Tensor x = vectors->in("x").requires_grad_();
  const torch::Tensor out = lorentz_aggregate(testing::to_csr(vectors->in("adj_norm")), x);
  CHECK(agrees(out, vectors->out("out")));
  out.backward(vectors->in("R"));
  CHECK(agrees(x.grad(), vectors->out("grad_x")));
}

TEST_CASE("the attention variant gives the published values and gradients", "[nn]") {
  const auto vectors = hybonet_vectors("lorentz_agg_attention");
  if (!vectors) return;
  LorentzAttention attention(4, {.linear = dense_factory(), .seed = 1, .tensors = torch::kFloat64}, "agg");
  CHECK(attention.named_parameters()["bias"].item<double>() == vectors->in_number("att_bias"));
  CHECK(attention.named_parameters()["scale"].item<double>() == vectors->in_number("att_scale"));
  testing::set_tensors(attention, {{"query_linear.weight.weight", vectors->in("Wq")},
                                   {"query_linear.weight.bias", vectors->in("bq")},
                                   {"query_linear.scale", vectors->in("sq")},
                                   {"key_linear.weight.weight", vectors->in("Wk")},
                                   {"key_linear.weight.bias", vectors->in("bk")},
                                   {"key_linear.scale", vectors->in("sk")},
                                   {"bias", vectors->in("att_bias")},
                                   {"scale", vectors->in("att_scale")}});
  const torch::Tensor x = vectors->in("x").requires_grad_();
  const torch::Tensor out = attention.forward(testing::to_csr(vectors->in("adj_norm")), x, {});
  CHECK(agrees(out, vectors->out("out")));
  out.backward(vectors->in("R"));
  const auto gradient = [&](const char* name) { return attention.named_parameters()[name].grad(); };
  CHECK(agrees(x.grad(), vectors->out("grad_x")));
  CHECK(agrees(gradient("query_linear.weight.weight"), vectors->out("grad_Wq")));
  CHECK(agrees(gradient("key_linear.weight.weight"), vectors->out("grad_Wk")));
  CHECK(agrees(gradient("bias"), vectors->out("grad_att_bias")));
  CHECK(agrees(gradient("scale"), vectors->out("grad_att_scale")));
}

TEST_CASE("the fused aggregation equals the plain formula in time-like, space-like and floored rows", "[nn]") {
  const int64_t dim = GENERATE(2, 5, 16);
  CAPTURE(dim);
  torch::Tensor x = tensor::lorentz::expmap0(draw({7, dim}, 1));
  x[1] = 1e-6 * draw({dim}, 2);  // |<h,h>| below the floor
  x[2][0] = 0;                   // space-like
  const auto identity = testing::to_csr(torch::eye(7, torch::kFloat64));
  const auto mixed = testing::to_csr(torch::eye(7, torch::kFloat64) + 0.1 * draw({7, 7}, 3).abs());
  constexpr double kNearFloor = 1e-11;  // the rows near the floor are scaled by 1e4
  for (const auto& adjacency : {identity, mixed}) {
    const auto run = [&](bool fused) {
      const torch::Tensor in = x.clone().requires_grad_();
      const torch::Tensor out =
          fused ? lorentz_aggregate(adjacency, in) : tensor::lorentz::normalise(tensor::csr_matmul(adjacency, in));
      out.backward(draw({7, dim}, 4));
      return std::pair{out.detach(), in.grad()};
    };
    const auto fused = run(true), plain = run(false);
    CHECK(torch::allclose(fused.first, plain.first, kNearFloor, kNearFloor));
    CHECK(torch::allclose(fused.second, plain.second, kNearFloor, kNearFloor));
  }
}

TEST_CASE("the fused aggregation passes the check by central differences", "[nn]") {
  const auto adjacency = testing::to_csr(torch::eye(6, torch::kFloat64) + draw({6, 6}, 5).abs());
  const double error = testing::gradient_error([&](const auto& t) { return lorentz_aggregate(adjacency, t[0]); },
                                               {tensor::lorentz::expmap0(draw({6, 5}, 6))});
  CHECK(error < testing::kGradientTolerance);
}

}  // namespace sst::nn
