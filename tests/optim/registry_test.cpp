#include "optim/registry.hpp"

#include "tests/optim/rule_bank.hpp"
#include "tests/support/catch.hpp"

namespace sst::optim {

namespace {

double lr_for(const std::string& rule, const TestFunction& function) {
  return rule.find("adam") == std::string::npos ? function.gradient_lr : function.adaptive_lr;
}

std::unique_ptr<UpdateRule> rule_named(const std::string& name) {
  OptimOptions options;
  options.name = name;
  return make_rule(options);
}

}  // namespace

TEST_CASE("every rule reduces every function of the bank to a thousandth", "[optim]") {
  for (const std::string& name : rule_names())
    for (const TestFunction& function : test_functions()) {
      auto rule = rule_named(name);
      if (function.points && !rule->moves_on_manifolds()) continue;
      CAPTURE(name, function.name);
      const auto tensors = leaves(function.start);
      Optimizer optimizer(std::move(rule), 0);
      add_all(optimizer, function, tensors);
      const double before = function.value(tensors).item<double>();
      const double after = minimise(optimizer, function, tensors, lr_for(name, function), function.steps);
      CHECK(after >= -1e-9);  // points: rounding may end just below 0
      CHECK(after < 1e-3 * before);
    }
}

TEST_CASE("a resumed run repeats an unbroken one bit for bit, with every rule", "[optim]") {
  for (const std::string& name : rule_names())
    for (const TestFunction& function : test_functions()) {
      if (function.points && !rule_named(name)->moves_on_manifolds()) continue;
      CAPTURE(name, function.name);
      const double lr = lr_for(name, function);
      const auto unbroken = leaves(function.start);
      Optimizer whole(rule_named(name), 0.01);
      add_all(whole, function, unbroken);
      minimise(whole, function, unbroken, lr, 7);

      const auto resumed = leaves(unbroken);
      Optimizer second(rule_named(name), 0.01);
      add_all(second, function, resumed);
      second.load_state_dict(whole.state_dict());

      minimise(whole, function, unbroken, lr, 13);  // over the stabilisation of points at step 10
      minimise(second, function, resumed, lr, 13);
      for (size_t i = 0; i < unbroken.size(); ++i) CHECK(torch::equal(unbroken[i], resumed[i]));
      const auto states = whole.state_dict(), others = second.state_dict();
      REQUIRE(states.size() == others.size());
      for (const auto& [key, tensor] : states) CHECK(torch::equal(tensor, others.at(key)));
    }
}

TEST_CASE("points stay on the hyperboloid and their momentum in the tangent space", "[optim]") {
  const TestFunction function = test_functions().back();
  const torch::Tensor flip = doubles({-1, 1, 1, 1}, {4});
  for (const std::string name : {"riemannian_adam", "riemannian_sgd"}) {
    CAPTURE(name);
    const auto tensors = leaves(function.start);
    Optimizer optimizer(rule_named(name), 0);
    add_all(optimizer, function, tensors);
    minimise(optimizer, function, tensors, lr_for(name, function), 50);
    const torch::Tensor x = tensors[0].detach();
    const torch::Tensor m = optimizer.state_dict().at(name == "riemannian_adam" ? "exp_avg/x0" : "momentum_buffer/x0");
    CHECK(torch::allclose((flip * x * x).sum(-1), torch::full({2}, -1.0, torch::kFloat64), 0, 1e-12));
    CHECK(torch::allclose((flip * x * m).sum(-1), torch::zeros({2}, torch::kFloat64), 0, 1e-12));
  }
}

TEST_CASE("an unknown rule is refused with its nearest neighbour", "[optim]") {
  OptimOptions options;
  options.name = "adamv";
  try {
    make_rule(options);
    FAIL("adamv was accepted");
  } catch (const UserError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("unknown optimizer 'adamv'"));
    CHECK_THAT(error.hint(), ContainsSubstring("did you mean 'adam"));
  }
}

TEST_CASE("a rule that does not fit the model is refused, with the one that does", "[optim]") {
  CHECK_NOTHROW(check_rule_fits("adamw", false, false));
  CHECK_NOTHROW(check_rule_fits("adam", true, false));  // a Lorentz model without trained points
  CHECK_NOTHROW(check_rule_fits("riemannian_adam", true, true));
  CHECK_NOTHROW(check_rule_fits("riemannian_adam", true, false));
  try {
    check_rule_fits("sgd", true, true);
    FAIL("sgd was accepted for points");
  } catch (const UserError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("points of the hyperboloid"));
    CHECK(error.hint() == "use riemannian_sgd");
  }
  CHECK_THROWS_AS(check_rule_fits("riemannian_adam", false, false), UserError);
  CHECK_NOTHROW(check_rule_fits("lowrank_adam", false, false));
  CHECK_NOTHROW(check_rule_fits("lowrank_heavy_ball", true, true));
}

TEST_CASE("weight decay is for matrices, for all, or for the names a glob matches", "[optim]") {
  OptimOptions options;
  CHECK(takes_weight_decay(options, "fc.weight", true));
  CHECK_FALSE(takes_weight_decay(options, "fc.bias", false));
  options.weight_decay_on = {{"all"}};
  CHECK(takes_weight_decay(options, "fc.bias", false));
  options.weight_decay_on = {{"matrices", "*.scale"}};
  CHECK(takes_weight_decay(options, "fc.scale", false));
  CHECK_FALSE(takes_weight_decay(options, "fc.bias", false));
  options.weight_decay_on = {{"encoder.*"}};
  CHECK(takes_weight_decay(options, "encoder.fc.bias", false));
  CHECK_FALSE(takes_weight_decay(options, "head.weight", true));
}

}  // namespace sst::optim
