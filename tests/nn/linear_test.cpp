#include "nn/linear.hpp"

#include <torch/types.h>
#include <torch/utils.h>

#include "tests/support/catch.hpp"
#include "tests/support/draws.hpp"
#include "tests/support/sparse.hpp"

namespace sst::nn {
namespace {

using testing::draw;
using testing::kRounding;

LinearSpec spec(int64_t in, int64_t out, bool bias = true) {
  return {.in = in, .out = out, .bias = bias, .name = "map", .initial_weight = draw({out, in}, 1)};
}

/// A module that holds a map below another module, as models do.
struct Block : torch::nn::Module {
  explicit Block(std::shared_ptr<LinearMap> inner) { map = register_module("map", std::move(inner)); }
  std::shared_ptr<LinearMap> map;
};

/// Trains the first row of a matrix that it saves whole.
struct ActiveRow final : LinearMap {
  explicit ActiveRow(const LinearSpec& s) : LinearMap(s) {
    all = register_buffer("all", s.initial_weight.clone());
    active = all.narrow(0, 0, 1).detach().requires_grad_();
  }
  torch::Tensor dense_weight() const override { return all; }
  void set_dense_weight(const torch::Tensor& w) override { all.copy_(w); }
  std::vector<NamedTensor> active_views() const override { return {{"all_active", active}}; }
  torch::Tensor apply(const tensor::Rows& x, const Pass&) override { return x.matmul(all.t()); }
  torch::Tensor all, active;
};

}  // namespace

TEST_CASE("a dense map applies x Wt + b to the last axis, whatever stands before it", "[nn]") {
  DenseLinear map(spec(5, 3));
  {
    const torch::NoGradGuard no_grad;
    map.named_parameters()["bias"].copy_(draw({3}, 2));
  }
  const torch::Tensor x = draw({2, 4, 5}, 3);
  const torch::Tensor expected = x.matmul(map.dense_weight().t()) + map.bias();
  const torch::Tensor y = map.forward(x);
  CHECK(y.sizes() == torch::IntArrayRef({2, 4, 3}));
  CHECK(torch::allclose(y, expected, kRounding, kRounding));
  CHECK(torch::allclose(map.forward(x[0]), expected[0], kRounding, kRounding));
  CHECK(torch::allclose(map.forward(x[0][0]), expected[0][0], kRounding, kRounding));
}

TEST_CASE("a dense map gives sparse rows what it gives their dense form, gradients included", "[nn]") {
  const bool bias = GENERATE(true, false);
  DenseLinear map(spec(4, 3, bias));
  const torch::Tensor features = draw({6, 3}, 4) * (draw({6, 3}, 5) > 0);
  const tensor::Rows rows(draw({6}, 6), testing::to_csr(features));
  const torch::Tensor gradient = draw({6, 3}, 7);
  map.forward(rows).backward(gradient);
  const torch::Tensor weight_gradient = map.named_parameters()["weight"].grad().clone();
  map.zero_grad();
  const torch::Tensor dense_result = map.forward(rows.to_dense());
  dense_result.backward(gradient);
  CHECK(torch::allclose(map.forward(rows), dense_result, kRounding, kRounding));
  CHECK(torch::allclose(weight_gradient, map.named_parameters()["weight"].grad(), kRounding, kRounding));
  CHECK(map.bias().defined() == bias);
}

TEST_CASE("set_dense_weight is what forward applies next", "[nn]") {
  DenseLinear map(spec(5, 3));
  const torch::Tensor weight = draw({3, 5}, 8), x = draw({2, 5}, 9);
  map.set_dense_weight(weight);
  CHECK(torch::equal(map.dense_weight(), weight));
  CHECK(torch::allclose(map.forward(x), x.mm(weight.t()), kRounding, kRounding));
  CHECK_THROWS_AS(map.set_dense_weight(weight.t()), std::logic_error);
}

TEST_CASE("a map refuses to be made without a fitting initial weight, and names itself", "[nn]") {
  CHECK_THROWS_WITH(DenseLinear(LinearSpec{5, 3, true, "block.query", true, {}}), ContainsSubstring("block.query"));
  LinearSpec wrong = spec(5, 3);
  wrong.in = 4;
  CHECK_THROWS_WITH(DenseLinear(wrong), ContainsSubstring("[3, 5], expected [3, 4]"));
}

TEST_CASE("trained and stored tensors carry their path; views are trained, not stored", "[nn]") {
  const auto names = [](const std::vector<NamedTensor>& tensors) {
    std::vector<std::string> list;
    for (const auto& [name, tensor] : tensors) list.push_back(name);
    return list;
  };
  Block dense(dense_factory()(spec(5, 3)));
  CHECK(names(trainable_tensors(dense)) == std::vector<std::string>{"map.bias", "map.weight"});
  CHECK(names(stored_tensors(dense)) == std::vector<std::string>{"map.bias", "map.weight"});

  const auto active = std::make_shared<ActiveRow>(spec(5, 3));
  Block views(active);
  CHECK(names(trainable_tensors(views)) == std::vector<std::string>{"map.bias", "map.all_active"});
  CHECK(names(stored_tensors(views)) == std::vector<std::string>{"map.bias", "map.all"});
  CHECK(trainable_tensors(views)[1].tensor.data_ptr() == active->all.data_ptr());
}

TEST_CASE("a frozen parameter is stored but not trained", "[nn]") {
  Block block(dense_factory()(spec(5, 3)));
  block.map->named_parameters()["weight"].requires_grad_(false);
  CHECK(trainable_tensors(block).size() == 1);
  CHECK(stored_tensors(block).size() == 2);
}

}  // namespace sst::nn
