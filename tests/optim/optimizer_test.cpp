#include "optim/optimizer.hpp"

#include <torch/types.h>

#include "core/error.hpp"
#include "optim/adam.hpp"
#include "optim/sgd.hpp"
#include "tests/support/catch.hpp"

namespace sst::optim {

using torch::Tensor;

namespace {

Tensor weight(std::vector<double> values) { return torch::tensor(values, torch::kFloat64).requires_grad_(); }

void set_gradient(Tensor tensor, std::vector<double> values) {
  tensor.mutable_grad() = torch::tensor(values, torch::kFloat64);
}

Optimizer adam(double weight_decay = 0) { return {std::make_unique<Adam>(AdamOptions{}), weight_decay}; }
Optimizer plain_sgd(double weight_decay = 0) {
  return {std::make_unique<Sgd>(SgdOptions{.momentum = 0}), weight_decay};
}

template <class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("each group moves at its own learning rate", "[optim]") {
  const Tensor base = weight({1}), low_rank = weight({1});
  Optimizer optimizer = plain_sgd();
  optimizer.add({.name = "base", .tensor = base});
  optimizer.add({.name = "low", .tensor = low_rank, .group = Group::kLowRank});
  set_gradient(base, {1});
  set_gradient(low_rank, {1});
  optimizer.step({.base = 0.1, .low_rank = 0.5});
  CHECK(base.item<double>() == Approx(0.9));
  CHECK(low_rank.item<double>() == Approx(0.5));
}

TEST_CASE("weight decay touches only tensors that ask for it", "[optim]") {
  const Tensor decayed = weight({1}), spared = weight({1});
  Optimizer optimizer = adam(0.5);
  optimizer.add({.name = "decayed", .tensor = decayed, .decay = true});
  optimizer.add({.name = "spared", .tensor = spared});
  set_gradient(decayed, {0});
  set_gradient(spared, {0});
  optimizer.step({.base = 0.1});
  CHECK(decayed.item<double>() == 1 - 0.1 * 0.5);
  CHECK(spared.item<double>() == 1);
}

TEST_CASE("a tensor without a gradient keeps its value and its step count", "[optim]") {
  const Tensor used = weight({1}), unused = weight({1});
  Optimizer optimizer = adam(0.5);
  optimizer.add({.name = "used", .tensor = used, .decay = true});
  optimizer.add({.name = "unused", .tensor = unused, .decay = true});
  set_gradient(used, {1});
  optimizer.step({.base = 0.1});
  CHECK(unused.item<double>() == 1);
  const auto states = optimizer.state_dict();
  CHECK(states.at("step/used").item<int64_t>() == 1);
  CHECK(states.at("step/unused").item<int64_t>() == 0);
  CHECK_FALSE(states.contains("exp_avg/unused"));
}

TEST_CASE("after a reset a tensor's next step is a first step, the others' are not", "[optim]") {
  const Tensor reset = weight({1}), kept = weight({1});
  Optimizer optimizer = adam();
  optimizer.add({.name = "reset", .tensor = reset});
  optimizer.add({.name = "kept", .tensor = kept});
  for (const double gradient : {1.0, 1.0, -0.01}) {
    if (gradient < 0) optimizer.reset_state("reset");
    set_gradient(reset, {gradient});
    set_gradient(kept, {gradient});
    optimizer.step({.base = 0.1});
  }
  // A first step of Adam goes lr against the sign; the kept momentum still goes down.
  CHECK(reset.item<double>() == Approx(1 - 0.2 + 0.1).epsilon(1e-6));
  CHECK(kept.item<double>() < 0.8);
  CHECK(optimizer.state_dict().at("step/reset").item<int64_t>() == 1);
  CHECK(optimizer.state_dict().at("step/kept").item<int64_t>() == 3);
}

TEST_CASE("a replaced tensor carries its moments and its count, or starts afresh", "[optim]") {
  const Tensor old = weight({1, 2});
  Optimizer optimizer = adam();
  optimizer.add({.name = "w", .tensor = old});
  set_gradient(old, {1, -1});
  optimizer.step({.base = 0.1});

  const Tensor wider = weight({1, 2, 3});
  optimizer.replace("w", wider, [](const Tensor& moment) {
    return torch::cat({moment, torch::zeros({1}, torch::kFloat64)});
  });
  const auto carried = optimizer.state_dict();
  CHECK(torch::allclose(carried.at("exp_avg/w"), torch::tensor({0.1, -0.1, 0.0}, torch::kFloat64)));
  CHECK(carried.at("step/w").item<int64_t>() == 1);
  set_gradient(wider, {0, 0, 0});
  optimizer.step({.base = 0.1});
  CHECK(wider[0].item<double>() < 1);  // moved by the carried momentum
  CHECK(wider[2].item<double>() == 3);

  optimizer.replace("w", weight({5}));
  CHECK(optimizer.state_dict().size() == 1);
  CHECK(optimizer.state_dict().at("step/w").item<int64_t>() == 0);
}

TEST_CASE("in a view the rule sees the projected gradient and the tensor moves by what is lifted", "[optim]") {
  // The view keeps the sum of the two rows: gradient [[1], [3]] is seen as [4], Adam's first direction is 1.
  const Tensor tensor = torch::tensor({{1.0}, {2.0}}, torch::kFloat64).requires_grad_();
  Optimizer optimizer = adam(0.5);
  optimizer.add({.name = "w", .tensor = tensor, .decay = true});
  optimizer.set_view("w", {.shape = {1, 1},
                           .project = [](const Tensor& full) { return full.sum(0, true); },
                           .lift =
                               [](const Tensor& seen) {
                                 return seen.expand({2, 1}) * 0.25;
                               }});
  tensor.mutable_grad() = torch::tensor({{1.0}, {3.0}}, torch::kFloat64);
  optimizer.step({.base = 0.1});
  CHECK(optimizer.state_dict().at("exp_avg/w").sizes() == at::IntArrayRef({1, 1}));
  const Tensor expected = torch::tensor({{1.0 * 0.95 - 0.025}, {2.0 * 0.95 - 0.025}}, torch::kFloat64);
  CHECK(torch::allclose(tensor.detach(), expected, 0, 1e-9));
}

TEST_CASE("coupled decay is projected with the gradient", "[optim]") {
  const Tensor tensor = torch::tensor({{1.0}, {2.0}}, torch::kFloat64).requires_grad_();
  Optimizer optimizer = plain_sgd(0.5);
  optimizer.add({.name = "w", .tensor = tensor, .decay = true});
  optimizer.set_view("w", {.shape = {1, 1},
                           .project = [](const Tensor& full) { return full.narrow(0, 0, 1); },
                           .lift =
                               [](const Tensor& seen) {
                                 return torch::cat({seen, torch::zeros_like(seen)});
                               }});
  tensor.mutable_grad() = torch::tensor({{1.0}, {1.0}}, torch::kFloat64);
  optimizer.step({.base = 0.1});
  CHECK(torch::allclose(tensor.detach(), torch::tensor({{1 - 0.1 * 1.5}, {2.0}}, torch::kFloat64)));
}

TEST_CASE("states are found by name, whatever the order of the tensors", "[optim]") {
  const Tensor a = weight({1, 2}), b = weight({3});
  Optimizer first = adam();
  first.add({.name = "a", .tensor = a});
  first.add({.name = "b", .tensor = b});
  set_gradient(a, {1, 2});
  first.step({.base = 0.1});
  set_gradient(a, {0.5, 1});
  set_gradient(b, {3});
  first.step({.base = 0.1});

  Optimizer second = adam();
  second.add({.name = "b", .tensor = b});
  second.add({.name = "a", .tensor = a});
  second.load_state_dict(first.state_dict());
  const auto states = first.state_dict(), others = second.state_dict();
  REQUIRE(states.size() == 6);
  REQUIRE(others.size() == 6);
  for (const auto& [key, tensor] : states) {
    CHECK(torch::equal(tensor, others.at(key)));
    if (tensor.dim() > 0) CHECK_FALSE(tensor.is_alias_of(others.at(key)));
  }
  CHECK(others.at("step/a").item<int64_t>() == 2);
  CHECK(others.at("step/b").item<int64_t>() == 1);
}

TEST_CASE("a state that does not fit is refused by the name of its first tensor, and nothing is taken", "[optim]") {
  const Tensor a = weight({1, 2});
  Optimizer optimizer = adam();
  optimizer.add({.name = "a", .tensor = a});
  set_gradient(a, {1, 2});
  optimizer.step({.base = 0.1});
  const auto good = optimizer.state_dict();
  const auto refused = [&](const std::map<std::string, Tensor>& tensors) {
    return message_of([&] { optimizer.load_state_dict(tensors); });
  };

  auto bad = good;
  bad.erase("step/a");
  CHECK(refused(bad) == "optimizer state has no tensor 'step/a'");
  bad = good;
  bad.erase("exp_avg_sq/a");
  CHECK(refused(bad) == "optimizer state has no tensor 'exp_avg_sq/a'");
  bad = good;
  bad["exp_avg/b"] = torch::zeros({2});
  CHECK(refused(bad) == "optimizer state has a tensor 'exp_avg/b' that nothing here trains");
  bad = good;
  bad["exp_avg/a"] = torch::zeros({3}, torch::kFloat64);
  CHECK(refused(bad) == "optimizer state 'exp_avg/a' is [3], expected [2]");
  bad = good;
  bad["exp_avg/a"] = torch::zeros({2}, torch::kFloat32);
  CHECK(refused(bad) == "optimizer state 'exp_avg/a' is Float, expected Double");
  bad = good;
  bad["step/a"] = torch::tensor(-1, torch::kInt64);
  CHECK(refused(bad) == "optimizer state 'step/a' is -1, a step count is 0 or more");
  bad["step/a"] = torch::tensor(1.0);
  CHECK(refused(bad) == "optimizer state 'step/a' is not one int64 number");
  bad = good;
  bad["step/a"] = torch::tensor(0, torch::kInt64);  // moments of a tensor that never moved
  CHECK_THAT(refused(bad), ContainsSubstring("that nothing here trains"));

  for (const auto& [key, tensor] : good) CHECK(torch::equal(tensor, optimizer.state_dict().at(key)));
}

TEST_CASE("a rule that knows no manifold refuses points, by name", "[optim]") {
  Optimizer optimizer = adam();
  CHECK_THROWS_WITH(
      optimizer.add({.name = "decoder.cls", .tensor = torch::zeros({2, 3}), .geometry = Geometry::kLorentz}),
      ContainsSubstring("'decoder.cls' holds points of the hyperboloid"));
  CHECK(optimizer.parameters().empty());
}

TEST_CASE("our own mistakes are told apart from the user's", "[optim]") {
  Optimizer optimizer = adam();
  optimizer.add({.name = "w", .tensor = weight({1})});
  CHECK_THROWS_AS(optimizer.add({.name = "w", .tensor = weight({1})}), std::logic_error);
  CHECK_THROWS_AS(optimizer.reset_state("v"), std::logic_error);
  CHECK_THROWS_AS(optimizer.set_view("w", {}), std::logic_error);
}

}  // namespace sst::optim
