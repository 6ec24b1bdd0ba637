#include "run/averages.hpp"

#include "core/error.hpp"
#include "nn/linear.hpp"
#include "tests/support/catch.hpp"

namespace sst::run {
namespace {

constexpr double kRoundingOfFloat32 = 1e-6;

struct Model : torch::nn::Module {
  Model() : torch::nn::Module("model") {
    map = register_module(
        "map",
        nn::dense_factory()({.in = 1, .out = 1, .bias = false, .name = "map", .initial_weight = torch::ones({1, 1})}));
    point = register_parameter("point", torch::tensor({{1.0, 0.0}}, torch::kFloat32));
  }
  void set(double weight) { map->set_dense_weight(torch::full({1, 1}, weight)); }

  std::shared_ptr<nn::LinearMap> map;
  torch::Tensor point;
};

double value(const tensor::NamedTensors& tensors, const std::string& name) { return tensors.at(name).item<double>(); }

}  // namespace

TEST_CASE("an average follows Marian's recursion with its first steps", "[run]") {
  Model model;
  Averages averages({0.5, 0.15});
  averages.start(model);
  CHECK(value(averages.state_dict(), "ema_0.5/map.weight") == 1);
  model.set(2);
  averages.update_(model, 0);  // d = 1/10 for both
  CHECK(value(averages.state_dict(), "ema_0.5/map.weight") == Approx(1.9).epsilon(kRoundingOfFloat32));
  model.set(3);
  averages.update_(model, 1);  // d = 2/11 and 0.15
  CHECK(value(averages.state_dict(), "ema_0.5/map.weight") == Approx(3 - 1.1 * 2 / 11).epsilon(kRoundingOfFloat32));
  CHECK(value(averages.state_dict(), "ema_0.15/map.weight") == Approx(3 - 1.1 * 0.15).epsilon(kRoundingOfFloat32));
  averages.update_(model, 1'000'000);  // d = 0.5
  CHECK(value(averages.state_dict(), "ema_0.5/map.weight") == Approx(3 - 1.1 / 11).epsilon(kRoundingOfFloat32));
}

TEST_CASE("an average of points lies on the hyperboloid when it is used", "[run]") {
  Model model;
  Averages averages({0.5});
  averages.start(model);
  {
    const torch::NoGradGuard no_grad;
    model.point.copy_(torch::tensor({{1.25, 0.75}}));
  }
  averages.update_(model, 1'000'000);
  const auto used = averaged_tensors(averages.state_dict(), "ema", {"point"}).at("point").to(torch::kFloat64);
  // (1.125, 0.375) / sqrt(1.125² − 0.375²)
  CHECK(used[0][0].item<double>() == Approx(1.0606601718).epsilon(kRoundingOfFloat32));
  CHECK(used[0][1].item<double>() == Approx(0.3535533906).epsilon(kRoundingOfFloat32));
}

TEST_CASE("an average is asked for by name, and one that is not there names those that are", "[run]") {
  Model model;
  Averages averages({0.9, 0.99});
  averages.start(model);
  CHECK(averaged_tensors(averages.state_dict(), "ema_0.99", {}).size() == 2);
  CHECK_THROWS_AS(averaged_tensors(averages.state_dict(), "ema", {}), UserError);
  CHECK_THROWS_AS(averaged_tensors({}, "ema", {}), UserError);
}

TEST_CASE("averages of another recipe are refused", "[run]") {
  Model model;
  Averages averages({0.9}), other({0.99});
  averages.start(model);
  other.start(model);
  CHECK_THROWS_AS(averages.load_state_dict(other.state_dict(), model), CheckpointError);
  CHECK_THROWS_AS(averages.load_state_dict({}, model), CheckpointError);
}

}  // namespace sst::run
