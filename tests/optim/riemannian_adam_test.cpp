#include "optim/riemannian_adam.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "optim/optimizer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/shared_files.hpp"

namespace sst::optim {

using torch::Tensor;

namespace {

using nlohmann::json;

/// Nested lists of numbers as a float64 tensor.
Tensor tensor_of(const json& lists) {
  if (!lists.is_array()) return torch::tensor(lists.get<double>(), torch::kFloat64);
  std::vector<Tensor> rows;
  for (const json& row : lists) rows.push_back(tensor_of(row));
  return torch::stack(rows);
}

bool agree(const Tensor& ours, const Tensor& reference) {
  constexpr double kVectors = 1e-9;  // the vectors' own agreement with an independent derivation
  return torch::allclose(ours, reference, kVectors, kVectors);
}

}  // namespace

TEST_CASE("Riemannian Adam repeats the published optimizer's steps", "[optim][golden]") {
  const auto path = sst::testing::shared_file("spec/hybonet_vectors.json");
  if (!path) return;
  std::ifstream stream(*path);
  int checked = 0;
  const json vectors = json::parse(stream);
  for (const json& entry : vectors.at("cases")) {
    const auto name = entry.at("name").get<std::string>();
    if (name.find("riemannian_adam") != 0) continue;
    CAPTURE(name);
    const json& in = entry.at("inputs");
    Optimizer optimizer(std::make_unique<RiemannianAdam>(
                            AdamOptions{.beta1 = in.at("beta1"), .beta2 = in.at("beta2"), .eps = in.at("eps")}),
                        in.at("weight_decay"));
    std::map<std::string, Tensor> tensors;
    for (const std::string key : {"point", "euclid", "bias"}) {
      tensors[key] = tensor_of(in.at(key));
      optimizer.add({.name = key,
                     .tensor = tensors[key],
                     .geometry = key == "point" ? Geometry::kLorentz : Geometry::kEuclidean,
                     .decay = key == "euclid"});
    }
    const auto steps = in.at("grads_point").size();
    for (size_t step = 1; step <= steps; ++step) {
      for (auto& [key, tensor] : tensors) tensor.mutable_grad() = tensor_of(in.at("grads_" + key).at(step - 1));
      optimizer.step({.base = in.at("lr")});
      const auto expected = entry.at("outputs").find("step_" + std::to_string(step));
      if (expected == entry.at("outputs").end()) continue;
      CAPTURE(step);
      const auto states = optimizer.state_dict();
      for (const auto& [key, tensor] : tensors) {
        CAPTURE(key);
        CHECK(agree(tensor, tensor_of(expected->at(key))));
        if (!expected->contains(key + "_m")) continue;
        CHECK(agree(states.at("exp_avg/" + key), tensor_of(expected->at(key + "_m"))));
        CHECK(agree(states.at("exp_avg_sq/" + key).expand_as(tensor), tensor_of(expected->at(key + "_v"))));
        ++checked;
      }
    }
  }
  CHECK(checked == 6 * 2 + 2 * 2);  // point and matrix, six states of one case and two of the other
}

TEST_CASE("the pass over rows gives what the tensor operations give, for points too", "[optim]") {
  const RiemannianAdam rule({});
  for (const auto type : {torch::kFloat64, torch::kFloat32}) {
    CAPTURE(type);
    const double tolerance = type == torch::kFloat64 ? 1e-11 : 2e-4;  // cosh amplifies rounding
    const auto generator = at::detail::createCPUGenerator(3);
    const Tensor start = points_over(torch::randn({9, 5}, generator, torch::TensorOptions(torch::kFloat64))).to(type);
    Tensor fused = start.clone(), general = start.t().contiguous().t();  // strides send it the general way
    REQUIRE_FALSE(general.is_contiguous());
    State fused_state{.step = 0, .moments = rule.zero_moments(fused, Geometry::kLorentz)};
    State general_state{.step = 0, .moments = rule.zero_moments(general, Geometry::kLorentz)};
    for (int i = 0; i < 12; ++i) {
      const Tensor gradient = torch::randn({9, 6}, generator, torch::TensorOptions(torch::kFloat64)).to(type);
      ++fused_state.step;
      ++general_state.step;
      rule.update_on_manifold_(fused, gradient, fused_state, 0.05);
      rule.update_on_manifold_(general, gradient, general_state, 0.05);
    }
    CHECK(torch::allclose(fused, general, tolerance, tolerance));
    for (const std::string moment : {"exp_avg", "exp_avg_sq"})
      CHECK(torch::allclose(fused_state.moments.at(moment), general_state.moments.at(moment), tolerance, tolerance));
  }
}

TEST_CASE("a point whose gradient is zero stays where it is", "[optim]") {
  const RiemannianAdam rule({});
  Tensor point = points_over(torch::tensor({{0.3, -2.0, 0.7}}, torch::kFloat64));
  const Tensor before = point.clone();
  State state{.step = 1, .moments = rule.zero_moments(point, Geometry::kLorentz)};
  rule.update_on_manifold_(point, torch::zeros_like(point), state, 1.0);
  CHECK(torch::allclose(point, before, 0, 1e-8));  // the floor 1e-9 of the squared norm scales a zero vector
  CHECK(torch::equal(state.moments.at("exp_avg"), torch::zeros_like(point)));
}

}  // namespace sst::optim
