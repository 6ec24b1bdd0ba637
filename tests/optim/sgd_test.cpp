#include "optim/sgd.hpp"

#include <torch/optim/sgd.h>

#include "optim/optimizer.hpp"
#include "tests/support/catch.hpp"

namespace sst::optim {

using torch::Tensor;

TEST_CASE("momentum adds up as on paper: 1, 1.9, 2.71 times the gradient", "[optim]") {
  Tensor weight = torch::tensor({10.0}, torch::kFloat64).requires_grad_();
  Optimizer optimizer(std::make_unique<Sgd>(SgdOptions{.momentum = 0.9}), 0);
  optimizer.add({.name = "w", .tensor = weight});
  for (const double expected : {10 - 1.0, 10 - 1.0 - 1.9, 10 - 1.0 - 1.9 - 2.71}) {
    weight.mutable_grad() = torch::tensor({1.0}, torch::kFloat64);
    optimizer.step({.base = 1});
    CHECK(weight.item<double>() == Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("twenty steps agree with torch::optim::SGD, with and without momentum", "[optim]") {
  for (const double momentum : {0.0, 0.9}) {
    CAPTURE(momentum);
    Tensor ours = torch::linspace(-1, 1, 12, torch::kFloat64).reshape({3, 4}).requires_grad_();
    Tensor theirs = ours.detach().clone().requires_grad_();
    Optimizer optimizer(std::make_unique<Sgd>(SgdOptions{.momentum = momentum}), 0.1);
    optimizer.add({.name = "w", .tensor = ours, .decay = true});
    torch::optim::SGD reference(std::vector<Tensor>{theirs},
                                torch::optim::SGDOptions(0.05).momentum(momentum).weight_decay(0.1));
    for (int i = 0; i < 20; ++i) {
      for (Tensor& weight : std::vector<Tensor>{ours, theirs}) {
        weight.mutable_grad() = Tensor();
        (weight.cos() * weight).sum().backward();
      }
      optimizer.step({.base = 0.05});
      reference.step();
    }
    CHECK(torch::allclose(ours, theirs, 1e-13, 1e-13));
    CHECK(optimizer.state_dict().contains("momentum_buffer/w") == (momentum > 0));
  }
}

}  // namespace sst::optim
