#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "core/error.hpp"
#include "optim/adam.hpp"
#include "optim/clip.hpp"
#include "optim/optimizer.hpp"
#include "optim/sgd.hpp"
#include "tests/support/catch.hpp"

// What the study of weight decay (D'Angelo et al. 2024) rests on.
namespace sst::optim {

using torch::Tensor;

namespace {

Tensor start() { return torch::tensor({1.0, -2.0, 0.5}, torch::kFloat64).requires_grad_(); }

Tensor some_gradient(int64_t step) {
  return torch::tensor({0.3, -0.1, 0.7}, torch::kFloat64) * std::cos(static_cast<double>(step));
}

/// Ten steps by `rule`: decay by the optimizer, `l2` before the clipping.
Tensor trained(std::unique_ptr<UpdateRule> rule, double decay, double l2, double clip = 0) {
  const Tensor w = start();
  Optimizer optimizer(std::move(rule), decay);
  optimizer.add({.name = "w", .tensor = w, .decay = true});
  for (int64_t step = 0; step < 10; ++step) {
    Tensor(w).mutable_grad() = some_gradient(step);
    add_l2_penalty_(optimizer.parameters(), l2);
    clip_gradients_(optimizer.parameters(), clip);
    optimizer.step({.base = 0.05, .low_rank = 0.05});
  }
  return w.detach();
}

std::unique_ptr<UpdateRule> sgd_rule() { return std::make_unique<Sgd>(SgdOptions{.momentum = 0.9}); }
std::unique_ptr<UpdateRule> adam_rule(bool decoupled) {
  return std::make_unique<Adam>(AdamOptions{.decoupled_decay = decoupled});
}

}  // namespace

TEST_CASE("coupled decay of SGD is an L2 penalty of half of it, as long as nothing is clipped", "[optim]") {
  const Tensor decay = trained(sgd_rule(), 0.2, 0), penalty = trained(sgd_rule(), 0, 0.1);
  CHECK(torch::allclose(decay, penalty, 1e-13, 1e-14));
  // Clipping comes after the penalty and before the decay.
  CHECK_FALSE(torch::allclose(trained(sgd_rule(), 0.2, 0, 0.1), trained(sgd_rule(), 0, 0.1, 0.1), 1e-3, 1e-3));
}

TEST_CASE("with Adam an L2 penalty passes through the moments and decoupled decay does not", "[optim]") {
  const Tensor penalty = trained(adam_rule(true), 0, 0.1);
  CHECK(torch::allclose(penalty, trained(adam_rule(false), 0.2, 0), 1e-12, 1e-12));
  CHECK_FALSE(torch::allclose(penalty, trained(adam_rule(true), 0.2, 0), 1e-3, 1e-3));
}

TEST_CASE("decay at the base rate shrinks a tensor by it, whichever rate moves it", "[optim]") {
  const bool at_base = GENERATE(false, true);
  const Tensor w = start();
  Optimizer optimizer(adam_rule(true), 0.2);
  optimizer.add({.name = "w", .tensor = w, .group = Group::kLowRank, .decay = true, .decay_at_base_rate = at_base});
  Tensor(w).mutable_grad() = torch::zeros_like(w);
  optimizer.step({.base = 0.05, .low_rank = 0.5});
  const double kept = 1 - 0.2 * (at_base ? 0.05 : 0.5);
  CHECK(torch::allclose(w.detach(), start().detach() * kept, 1e-15, 0));
}

TEST_CASE("decayed weights come to rest at the root of lr over twice the decay, and turn at a known rate",
          "[optim][slow]") {
  const auto [lr, decay] = GENERATE(std::pair(1e-3, 0.1), std::pair(1e-3, 0.3), std::pair(3e-3, 0.1));
  CAPTURE(lr, decay);
  constexpr int64_t kCoordinates = 2000;
  constexpr double kTolerance = 0.05, kBeta1 = 0.9;
  const Tensor w = torch::zeros({kCoordinates}, torch::kFloat64).requires_grad_();
  Optimizer optimizer(std::make_unique<Adam>(AdamOptions{.beta1 = kBeta1, .beta2 = 0.95}), decay);
  optimizer.add({.name = "w", .tensor = w, .decay = true});
  auto generator = at::detail::createCPUGenerator(11);
  const auto steps = static_cast<int64_t>(4 / (lr * decay));  // of the relaxation time
  double update = 0;
  constexpr int64_t kMeasured = 100;
  for (int64_t step = 0; step < steps; ++step) {
    Tensor(w).mutable_grad() = torch::randn({kCoordinates}, generator, torch::kFloat64);
    const Tensor before = w.detach().clone();
    optimizer.step({.base = lr, .low_rank = lr});
    if (step >= steps - kMeasured) update += ((w.detach() - before).norm() / before.norm()).item<double>() / kMeasured;
  }
  CHECK(w.detach().square().mean().sqrt().item<double>() == Approx(std::sqrt(lr / (2 * decay))).epsilon(kTolerance));
  CHECK(update == Approx(std::sqrt(2 * lr * decay * (1 - kBeta1) / (1 + kBeta1))).epsilon(kTolerance));
}

TEST_CASE("small updates of weights in bfloat16 are lost, and on average kept by stochastic rounding", "[optim]") {
  const bool stochastic = GENERATE(false, true);
  CAPTURE(stochastic);
  Tensor w = torch::ones({4096}, torch::kBFloat16).requires_grad_();
  Optimizer optimizer(std::make_unique<Sgd>(SgdOptions{.momentum = 0}), 0);
  if (stochastic) optimizer.round_stochastically(1);
  optimizer.add({.name = "w", .tensor = w});
  for (int step = 0; step < 50; ++step) {
    w.mutable_grad() = torch::full({4096}, 1, torch::kBFloat16);
    optimizer.step({.base = 1e-4, .low_rank = 1e-4});
  }
  const double mean = w.detach().to(torch::kFloat64).mean().item<double>();
  if (stochastic)
    CHECK(mean == Approx(1 - 50e-4).margin(5e-4));
  else
    CHECK(mean == 1);
}

TEST_CASE("stochastic rounding and views are told apart", "[optim]") {
  Optimizer optimizer(std::make_unique<Sgd>(SgdOptions{}), 0);
  optimizer.round_stochastically(1);
  optimizer.add({.name = "w", .tensor = torch::ones({2, 2}, torch::kBFloat16).requires_grad_()});
  const auto same = [](const Tensor& x) { return x; };
  CHECK_THROWS_AS(optimizer.set_view("w", {.shape = {2, 2}, .project = same, .lift = same}), UserError);
}

TEST_CASE("factors scale the rate of each tensor by itself, until they are taken away", "[optim]") {
  const Tensor a = torch::zeros({1}, torch::kFloat64).requires_grad_(), b = a.detach().clone().requires_grad_();
  Optimizer optimizer(std::make_unique<Sgd>(SgdOptions{.momentum = 0}), 0);
  optimizer.add({.name = "a", .tensor = a});
  optimizer.add({.name = "b", .tensor = b});
  const auto step = [&] {
    for (Tensor w : {a, b}) w.mutable_grad() = torch::ones({1}, torch::kFloat64);
    optimizer.step({.base = 0.5, .low_rank = 0});
  };
  optimizer.set_rate_factors({1, 3});
  step();
  CHECK(a.item<double>() == -0.5);
  CHECK(b.item<double>() == -1.5);
  optimizer.set_rate_factors({});
  step();
  CHECK(b.item<double>() == -2);
}

TEST_CASE("in front of a norm without gain the gradient is orthogonal to the weight and shrinks as it grows",
          "[optim]") {
  const Tensor x = torch::randn({7, 5}, at::detail::createCPUGenerator(1), torch::kFloat64);
  const Tensor initial = torch::randn({6, 5}, at::detail::createCPUGenerator(2), torch::kFloat64);
  const Tensor target = torch::randn({7, 6}, at::detail::createCPUGenerator(3), torch::kFloat64);
  const auto gradient_at = [&](double scale) {
    const Tensor w = (scale * initial).requires_grad_();
    const Tensor y = torch::layer_norm(torch::linear(x, w), {6}, {}, {}, /*eps=*/0);
    (y - target).square().sum().backward();
    CHECK((w.grad() * w.detach()).sum().item<double>() == Approx(0).margin(1e-9));
    return w.grad().norm().item<double>();
  };
  CHECK(gradient_at(4) == Approx(gradient_at(1) / 4));
}

}  // namespace sst::optim
