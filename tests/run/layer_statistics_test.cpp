#include "run/layer_statistics.hpp"

#include <cmath>
#include <optional>

#include "methods/spectral_linear.hpp"
#include "optim/sgd.hpp"
#include "tests/support/catch.hpp"

namespace sst::run {
namespace {

/// One linear map "map" and one scale beside it.
struct SmallModel : torch::nn::Module {
  explicit SmallModel(const nn::LinearFactory& factory) {
    map = register_module("map", factory({.in = 2,
                                          .out = 2,
                                          .bias = true,
                                          .name = "map",
                                          .initial_weight = torch::tensor({{3.0, 0.0}, {0.0, 4.0}}, torch::kFloat64)}));
    scale = register_parameter("scale", torch::full({}, 2.0, torch::kFloat64));
  }
  std::shared_ptr<nn::LinearMap> map;
  torch::Tensor scale;
};

std::optional<MetricValue> value_of(const MetricFields& fields, const std::string& name) {
  for (const auto& [key, value] : fields)
    if (key == name) return value;
  return std::nullopt;
}

double number(const MetricFields& fields, const std::string& name) {
  CAPTURE(name);
  const auto value = value_of(fields, name);
  REQUIRE(value);
  return std::get<double>(*value);
}

}  // namespace

TEST_CASE("a layer's line has the norms and the spectrum of the matrix that it applies", "[run]") {
  const bool spectral = GENERATE(false, true);
  CAPTURE(spectral);
  SmallModel model([&](const nn::LinearSpec& spec) -> std::shared_ptr<nn::LinearMap> {
    if (!spectral) return std::make_shared<nn::DenseLinear>(spec);
    return std::make_shared<methods::SpectralLinear>(spec, methods::SpectralLinear::Options{.rank = 1});
  });
  model.map->forward(torch::tensor({{1.0, 0.0}}, torch::kFloat64)).sum().backward();
  optim::Optimizer optimizer(std::make_unique<optim::Sgd>(optim::SgdOptions{}), 0);
  for (const auto& [name, tensor] : nn::trainable_tensors(model)) optimizer.add({.name = name, .tensor = tensor});
  const auto gradients = gradient_norms(optimizer);
  const auto before = map_weights(model);
  model.map->set_dense_weight(torch::tensor({{3.0, 0.0}, {0.3, 4.4}}, torch::kFloat64));
  CHECK(number(layer_fields(model, gradients, before), "layer/map/update_norm") == Approx(0.5));
  model.map->set_dense_weight(before.at("map"));
  const auto fields = layer_fields(model, gradients);
  CHECK_FALSE(value_of(fields, "layer/map/update_norm"));

  CHECK(number(fields, "layer/map/weight_norm") == Approx(5));
  CHECK(number(fields, "layer/map/sigma_max") == Approx(4));
  CHECK(number(fields, "layer/map/sigma_min") == Approx(3));
  CHECK(number(fields, "layer/map/sigma_mean") == Approx(3.5));
  const double p = 3.0 / 7, q = 4.0 / 7;
  CHECK(number(fields, "layer/map/effective_rank") == Approx(std::exp(-p * std::log(p) - q * std::log(q))));
  // ∂y/∂W has a 1 in each row's first column, ∂y/∂b is 1 twice.
  if (!spectral) CHECK(number(fields, "layer/map/grad_norm") == Approx(2));
  double squares = 0;
  for (const auto& [name, norm] : gradients) squares += norm * norm;
  CHECK(number(fields, "layer/map/grad_norm") == Approx(std::sqrt(squares)));
  CHECK(number(fields, "layer/scale/weight_norm") == Approx(2));
  CHECK_FALSE(value_of(fields, "layer/scale/grad_norm"));  // nothing depended on it

  const auto spectrum = std::get<std::vector<double>>(value_of(fields, "layer/map/spectrum").value());
  CHECK(spectrum.at(0) == Approx(4));
  CHECK(spectrum.at(1) == Approx(3));
  CHECK(spaced({9, 8, 7, 6, 5}, 3) == std::vector<double>{9, 7, 5});
  const auto held = value_of(fields, "layer/map/sigma");
  REQUIRE(held.has_value() == spectral);
  if (spectral) CHECK(std::get<std::vector<double>>(*held)[0] == Approx(4));
}

TEST_CASE("lists are arrays in metrics.jsonl", "[run]") {
  CHECK_THAT(metric_line("t", "layers", 3, {{"layer/map/sigma", std::vector<double>{4, 3.5}}}),
             ContainsSubstring(R"("kind":"layers","step":3,"layer/map/sigma":[4.0,3.5])"));
}

}  // namespace sst::run
