#include "optim/adam.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>

#include "optim/optimizer.hpp"
#include "tests/support/catch.hpp"

namespace sst::optim {

using torch::Tensor;

namespace {

/// Different orders of the same few operations.
constexpr double kDoubleRounding = 1e-13, kFloatRounding = 2e-6;

Tensor draw(at::IntArrayRef shape, torch::ScalarType type, uint64_t seed) {
  return torch::randn(shape, at::detail::createCPUGenerator(seed), torch::TensorOptions(torch::kFloat64)).to(type);
}

void run(const UpdateRule& rule, bool fused, Tensor parameter, const std::vector<Tensor>& gradients, double lr,
         double decay) {
  State state{.step = 0, .moments = rule.zero_moments(parameter, Geometry::kEuclidean)};
  for (const Tensor& gradient : gradients) {
    ++state.step;
    if (fused)
      rule.update_(parameter, gradient, state, lr, decay);
    else
      rule.UpdateRule::update_(parameter, gradient, state, lr, decay);
  }
}

std::vector<Tensor> gradients(int count, at::IntArrayRef shape, torch::ScalarType type) {
  std::vector<Tensor> list;
  for (int i = 0; i < count; ++i) list.push_back(draw(shape, type, 100 + static_cast<uint64_t>(i)));
  return list;
}

}  // namespace

TEST_CASE("the first step of Adam is lr against the sign of the gradient", "[optim]") {
  // By hand: m / (1 − β₁) = g, v / (1 − β₂) = g², so d = g / (|g| + ε).
  Tensor parameter = torch::tensor({1.0, 1.0, 1.0}, torch::kFloat64);
  const Tensor gradient = torch::tensor({0.5, -20.0, 0.0}, torch::kFloat64);
  run(Adam({}), true, parameter, {gradient}, 0.1, 0);
  CHECK(torch::allclose(parameter, torch::tensor({0.9, 1.1, 1.0}, torch::kFloat64), 0, 1e-8));
}

TEST_CASE("with a zero gradient decoupled decay shrinks by exactly 1 - lr * decay, coupled decay moves by lr",
          "[optim]") {
  const Tensor zero = torch::zeros({3}, torch::kFloat64);
  Tensor decoupled = torch::tensor({1.0, -2.0, 3.0}, torch::kFloat64);
  const Tensor expected = decoupled * (1 - 0.1 * 0.01);
  run(Adam({}), true, decoupled, {zero}, 0.1, 0.01);
  CHECK(torch::equal(decoupled, expected));

  Tensor coupled = torch::tensor({1.0, -2.0, 3.0}, torch::kFloat64);
  run(Adam({.decoupled_decay = false}), true, coupled, {zero}, 0.1, 0.01);
  CHECK(torch::allclose(coupled, torch::tensor({0.9, -1.9, 2.9}, torch::kFloat64), 0, 1e-6));
}

TEST_CASE("twenty steps agree with torch::optim::AdamW and Adam", "[optim]") {
  const auto steps = gradients(20, {5, 7}, torch::kFloat64);
  const Tensor start = draw({5, 7}, torch::kFloat64, 1);
  for (const bool decoupled : {true, false}) {
    CAPTURE(decoupled);
    Tensor ours = start.clone();
    run(Adam({.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .decoupled_decay = decoupled}), true, ours, steps, 0.03, 0.1);

    Tensor theirs = start.clone().requires_grad_();
    std::unique_ptr<torch::optim::Optimizer> reference;
    if (decoupled)
      reference = std::make_unique<torch::optim::AdamW>(
          std::vector<Tensor>{theirs}, torch::optim::AdamWOptions(0.03).betas({0.8, 0.95}).eps(1e-6).weight_decay(0.1));
    else
      reference = std::make_unique<torch::optim::Adam>(
          std::vector<Tensor>{theirs}, torch::optim::AdamOptions(0.03).betas({0.8, 0.95}).eps(1e-6).weight_decay(0.1));
    for (const Tensor& gradient : steps) {
      theirs.mutable_grad() = gradient.clone();
      reference->step();
    }
    CHECK(torch::allclose(ours, theirs.detach(), kDoubleRounding, kDoubleRounding));
  }
}

TEST_CASE("the single pass over memory gives what the tensor operations give", "[optim]") {
  for (const auto type : {torch::kFloat64, torch::kFloat32})
    for (const bool decoupled : {true, false}) {
      CAPTURE(type, decoupled);
      const double tolerance = type == torch::kFloat64 ? kDoubleRounding : kFloatRounding;
      const Adam rule({.decoupled_decay = decoupled});
      const auto steps = gradients(20, {13, 11}, type);  // 143 elements: whole vector groups and a rest
      Tensor fused = draw({13, 11}, type, 1), general = fused.clone();
      run(rule, true, fused, steps, 0.01, 0.1);
      run(rule, false, general, steps, 0.01, 0.1);
      CHECK(torch::allclose(fused, general, tolerance, tolerance));
    }
}

TEST_CASE("tensors that do not lie contiguous in memory are updated all the same", "[optim]") {
  const auto steps = gradients(5, {6, 4}, torch::kFloat64);
  Tensor contiguous = draw({6, 4}, torch::kFloat64, 1);
  Tensor transposed = contiguous.t().contiguous().t();
  REQUIRE_FALSE(transposed.is_contiguous());
  run(Adam({}), true, contiguous, steps, 0.01, 0.1);
  run(Adam({}), true, transposed, steps, 0.01, 0.1);
  CHECK(torch::allclose(transposed, contiguous, kDoubleRounding, kDoubleRounding));

  Tensor strided_gradient = draw({6, 4}, torch::kFloat64, 1), reference = strided_gradient.clone();
  const Tensor gradient = draw({4, 6}, torch::kFloat64, 2).t();
  run(Adam({}), true, strided_gradient, {gradient}, 0.01, 0);
  run(Adam({}), true, reference, {gradient.contiguous()}, 0.01, 0);
  CHECK(torch::equal(strided_gradient, reference));
}

TEST_CASE("the result has the same bits for any number of threads", "[optim]") {
  const int threads = at::get_num_threads();
  const auto steps = gradients(3, {300, 333}, torch::kFloat32);
  Tensor one = draw({300, 333}, torch::kFloat32, 1), three = one.clone();
  at::set_num_threads(1);
  run(Adam({}), true, one, steps, 0.01, 0.1);
  at::set_num_threads(3);
  run(Adam({}), true, three, steps, 0.01, 0.1);
  at::set_num_threads(threads);
  CHECK(torch::equal(one, three));
}

TEST_CASE("autograd notices that the single pass has changed a tensor", "[optim]") {
  Tensor parameter = draw({4}, torch::kFloat32, 1).requires_grad_();
  const Tensor loss = parameter.square().sum();
  Optimizer optimizer(std::make_unique<Adam>(AdamOptions{}), 0);
  optimizer.add({.name = "w", .tensor = parameter});
  parameter.mutable_grad() = torch::ones({4});
  optimizer.step({.base = 0.1});
  CHECK_THROWS(loss.backward());  // it would use the new values for a gradient at the old ones
}

}  // namespace sst::optim
