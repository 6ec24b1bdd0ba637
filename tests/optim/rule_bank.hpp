#pragma once

#include <torch/types.h>

#include <functional>
#include <string>
#include <vector>

#include "optim/optimizer.hpp"

/// Functions that every update rule must reduce, after ensmallen's bank: each is small, deterministic and has a known
/// minimum of 0.
namespace sst::optim {

struct TestFunction {
  std::string name;
  std::vector<torch::Tensor> start;
  std::function<torch::Tensor(const std::vector<torch::Tensor>&)> value;  ///< a scalar, at least 0
  double gradient_lr;  ///< for rules that move by the gradient itself
  double adaptive_lr;  ///< for rules that divide by its size
  int steps;
  bool points = false;  ///< the tensors hold points of the hyperboloid
};

inline torch::Tensor doubles(std::vector<double> values, std::vector<int64_t> shape) {
  return torch::tensor(values, torch::kFloat64).reshape(shape);
}

inline torch::Tensor points_over(const torch::Tensor& space) {  // [n, dim − 1] → [n, dim], on the hyperboloid
  return torch::cat({(1 + space.square().sum(-1, true)).sqrt(), space}, -1);
}

inline std::vector<TestFunction> test_functions() {
  const torch::Tensor curvature = doubles({1, 10, 100}, {3});
  const torch::Tensor target = doubles({1, -2, 3, 0.5, 0, -1}, {2, 3});
  const torch::Tensor goals = points_over(doubles({0.3, -0.2, 1.0, 0.4, 0, 0}, {2, 3}));
  const torch::Tensor flip = doubles({-1, 1, 1, 1}, {4});
  return {
      {"ill-conditioned quadratic",
       {doubles({1, 1, 1}, {3})},
       [=](const auto& x) { return 0.5 * (curvature * x[0].square()).sum(); },
       2e-3,
       0.05,
       400},
      {"Rosenbrock",
       {doubles({-1.2, 1}, {2})},
       [](const auto& x) {
         const torch::Tensor a = x[0][0], b = x[0][1];
         return (1 - a).square() + 100 * (b - a.square()).square();
       },
       2e-4,
       0.02,
       3000},
      {"Booth",
       {doubles({0, 0}, {2})},
       [](const auto& x) {
         const torch::Tensor a = x[0][0], b = x[0][1];
         return (a + 2 * b - 7).square() + (2 * a + b - 5).square();
       },
       0.005,
       0.1,
       400},
      {"product of two factors",
       {doubles({0.5, 0.1, -0.2, 0.4}, {2, 2}), doubles({0.3, -0.1, 0.2, 0.1, 0.6, -0.3}, {2, 3})},
       [=](const auto& x) { return (x[0].matmul(x[1]) - target).square().sum(); },
       0.005,
       0.02,
       600},
      {"points that must reach their goals",
       {points_over(doubles({-1, 0.5, 0, 0, 2, 0.1}, {2, 3}))},
       [=](const auto& x) { return (-2 - 2 * (flip * x[0] * goals).sum(-1)).sum(); },
       0.01,
       0.05,
       1000,
       true},
  };
}

/// Leaves that require a gradient, with the values of `start`.
inline std::vector<torch::Tensor> leaves(const std::vector<torch::Tensor>& start) {
  std::vector<torch::Tensor> copies;
  for (const torch::Tensor& tensor : start) copies.push_back(tensor.detach().clone().requires_grad_());
  return copies;
}

inline void add_all(Optimizer& optimizer, const TestFunction& function, const std::vector<torch::Tensor>& tensors) {
  for (size_t i = 0; i < tensors.size(); ++i)
    optimizer.add({.name = "x" + std::to_string(i),
                   .tensor = tensors[i],
                   .geometry = function.points ? Geometry::kLorentz : Geometry::kEuclidean,
                   .decay = !function.points});
}

/// Runs `steps` updates and returns the value after the last.
inline double minimise(Optimizer& optimizer, const TestFunction& function, const std::vector<torch::Tensor>& tensors,
                       double lr, int steps) {
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    function.value(tensors).backward();
    optimizer.step({.base = lr, .low_rank = lr});
  }
  return function.value(tensors).item<double>();
}

}  // namespace sst::optim
