#include <map>

#include "methods/registry.hpp"
#include "optim/registry.hpp"
#include "recipe/load.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/spectral_fixtures.hpp"

// What every method owes, whatever it does inside: a new one is covered on the day it joins the registry.
namespace sst::methods {
namespace {

using testing::distance;
using testing::gaussian;
using testing::spec_of;
using torch::Tensor;

struct Choice {
  std::string name;
  template <class Field>
  void describe(Field& field) {
    field(name, "name", recipe::one_of(registry().names()).required(), "method");
  }
};

/// A method as a recipe sets it, and the update rule it is tried with.
struct Variant {
  std::string method, keys, rule = "adam", second_moment = "row";
  bool falls = true;  ///< the loss, in a few dozen steps at a high rate
};

/// Every method under its own name with a cycle of few steps, and settings that change what is stored or moved.
const std::map<std::string, Variant>& variants() {
  static const std::map<std::string, Variant> all = [] {
    // A low-rank weight cannot be any matrix; as an adapter it can.
    const std::string lowrank = "  init: adapter\n";
    std::map<std::string, Variant> list = {
        {"galore", {.method = "galore", .keys = "  update_proj_gap: 3\n"}},
        {"galore, both sides", {.method = "galore", .keys = "  update_proj_gap: 3\n  proj_type: full\n"}},
        {"lowrank", {.method = "lowrank", .keys = lowrank}},
        {"lowrank, ba", {.method = "lowrank", .keys = lowrank + "  factors: ba\n"}},
        {"lowrank, heavy ball",
         {.method = "lowrank", .keys = lowrank + "  tolerance: 0.05\n  rank_min: 1\n", .rule = "lowrank_heavy_ball"}},
        {"lowrank, row", {.method = "lowrank", .keys = lowrank, .rule = "lowrank_adam"}},
        {"lowrank, scalar", {.method = "lowrank", .keys = lowrank, .rule = "lowrank_adam", .second_moment = "scalar"}},
        {"lowrank, coeff",
         {.method = "lowrank",
          .keys = lowrank + "  inner_steps: 3\n",
          .rule = "lowrank_adam",
          .second_moment = "coeff"}},
        {"lowrank, galerkin",
         {.method = "lowrank",
          .keys = lowrank + "  inner_steps: 3\n  tolerance: 0.01\n",
          .rule = "lowrank_heavy_ball_galerkin"}},
        {"relora", {.method = "relora", .keys = "  merge_every: 3\n  restart_warmup_steps: 2\n"}},
        {"relora, published",
         {.method = "relora",
          .keys = "  merge_every: 3\n  reset: prune_magnitude\n  prune_ratio: 0.8\n",
          // pruned second moments under a running step count want a ramp longer than this cycle (ReLoRA's ablation)
          .falls = false}},
        {"sst",
         {.method = "sst", .keys = "  iteration_interval: 3\n  iterations_per_round: 2\n  restart_warmup_steps: 2\n"}}};
    for (const std::string& name : registry().names()) list.insert({name, {.method = name, .keys = ""}});
    return list;
  }();
  return all;
}

std::unique_ptr<Method> make_method(const Variant& variant) {
  recipe::Schema schema;
  schema.describe<Choice>("method");
  for (const auto& [key, entry] : registry().entries()) entry.describe(schema, key);
  std::string text = "recipe_version: 1\nmethod:\n  name: " + variant.method + "\n";
  if (variant.method != "full") text += "  rank: 2\n";
  text += variant.keys;
  recipe::Diagnostics diagnostics;
  const auto recipe = recipe::load_text(text, "test.yaml", {}, schema, diagnostics);
  diagnostics.throw_if_errors();
  return registry()
      .at(variant.method)
      .make(recipe, {.seed = 7, .hidden_size = 4, .rows_per_step = 6, .euclidean = false});
}

std::unique_ptr<optim::UpdateRule> make_rule(const Variant& variant) {
  optim::OptimOptions options;
  options.name = variant.rule;
  options.second_moment = variant.second_moment;
  return optim::make_rule(options);
}

/// Two maps after one another, fitted to the output of a fixed matrix.
struct Fit {
  std::unique_ptr<Method> method;
  std::shared_ptr<nn::LinearMap> first, second;
  optim::Optimizer optimizer;
  Tensor x = gaussian({12, 7}, 40), target = gaussian({12, 7}, 40).mm(gaussian({7, 3}, 41));

  explicit Fit(const std::string& name)
      : method(make_method(variants().at(name))), optimizer(make_rule(variants().at(name)), 0.0) {
    auto spec = spec_of(5, 7);
    spec.name = "first";
    first = method->make_linear(spec);
    spec = spec_of(3, 5, 2);
    spec.name = "second";
    second = method->make_linear(spec);
    for (const auto& [prefix, map] : {std::pair{"first.", first}, std::pair{"second.", second}})
      for (const auto& [local, tensor] : nn::trainable_tensors(*map)) optimizer.add({prefix + local, tensor});
    method->attach(optimizer);
  }

  double step(int64_t t) {
    optimizer.zero_grad();
    const Tensor loss = (second->forward(torch::tanh(first->forward(x))) - target).square().mean();
    loss.backward();
    method->before_step(t, optimizer);
    const auto factors = method->rate_factors(t);
    optimizer.step({.base = 0.03 * factors.base, .low_rank = 0.03 * factors.low_rank});
    method->after_step(t, optimizer);
    return loss.item<double>();
  }

  std::map<std::string, Tensor> state() const {
    std::map<std::string, Tensor> all;
    for (const auto& [prefix, map] : {std::pair{"model/first.", first}, std::pair{"model/second.", second}})
      for (const auto& [local, tensor] : nn::stored_tensors(*map)) all[prefix + local] = tensor.detach().clone();
    for (const auto& [name, tensor] : optimizer.state_dict()) all["optimizer/" + name] = tensor.clone();
    for (const auto& [name, tensor] : method->state_dict()) all["method/" + name] = tensor.clone();
    return all;
  }

  void restore(const std::map<std::string, Tensor>& all) {
    const torch::NoGradGuard no_grad;
    std::map<std::string, Tensor> of_optimizer, of_method;
    for (const auto& [name, tensor] : all) {
      if (name.rfind("optimizer/", 0) == 0) of_optimizer[name.substr(10)] = tensor;
      if (name.rfind("method/", 0) == 0) of_method[name.substr(7)] = tensor;
    }
    for (const auto& [prefix, map] : {std::pair{"model/first.", first}, std::pair{"model/second.", second}})
      for (const auto& [local, tensor] : nn::stored_tensors(*map)) tensor.detach().copy_(all.at(prefix + local));
    optimizer.load_state_dict(of_optimizer);
    method->load_state_dict(of_method);
  }
};

std::string any_method() {
  std::vector<std::string> names;
  for (const auto& [name, variant] : variants()) names.push_back(name);
  return GENERATE_COPY(from_range(names));
}

}  // namespace

TEST_CASE("every method's layer applies the matrix it reports, before and while it trains", "[methods][contract]") {
  const auto name = any_method();
  CAPTURE(name);
  Fit fit(name);
  fit.method->on_start(fit.optimizer);
  for (int64_t t = 0; t < 8; ++t) {
    const Tensor expected = fit.x.mm(fit.first->dense_weight().t()) + fit.first->bias().detach();
    CHECK(distance(fit.first->forward(fit.x).detach(), expected) < 1e-12);
    fit.step(t);
  }
}

TEST_CASE("every method multiplies in the type the pass asks for and keeps gradients in that of its weights",
          "[methods][contract]") {
  const auto name = any_method();
  CAPTURE(name);
  Fit exact(name), mixed(name);
  const nn::Pass half{.compute = torch::kBFloat16};
  exact.step(0);
  mixed.step(0);  // so that no factor is zero
  exact.optimizer.zero_grad();
  mixed.optimizer.zero_grad();
  const Tensor reference = exact.first->forward(exact.x), ours = mixed.first->forward(mixed.x, half);
  CHECK(ours.scalar_type() == torch::kBFloat16);
  constexpr double kHalf = 0.03;  // bfloat16 rounds to 1 in 256, and a few roundings follow one another
  CHECK(distance(ours.detach().to(torch::kFloat64), reference.detach()) < kHalf);
  reference.square().sum().backward();
  ours.to(torch::kFloat64).square().sum().backward();
  exact.method->before_step(1, exact.optimizer);
  mixed.method->before_step(1, mixed.optimizer);
  for (size_t i = 0; i < exact.optimizer.parameters().size(); ++i) {
    const auto &wanted = exact.optimizer.parameters()[i].tensor.grad(),
               &got = mixed.optimizer.parameters()[i].tensor.grad();
    CAPTURE(exact.optimizer.parameters()[i].name);
    REQUIRE(wanted.defined() == got.defined());
    if (!wanted.defined()) continue;
    CHECK(got.scalar_type() == torch::kFloat64);
    CHECK(distance(got, wanted) < kHalf);
  }
}

TEST_CASE("every method starts from the initial matrix it was given", "[methods][contract]") {
  const auto name = any_method();
  CAPTURE(name);
  Fit fit(name);
  CHECK(distance(fit.first->dense_weight(), spec_of(5, 7).initial_weight) < 1e-13);
}

TEST_CASE("under every method the loss falls", "[methods][contract]") {
  const auto name = any_method();
  CAPTURE(name);
  Fit fit(name);
  fit.method->on_start(fit.optimizer);
  const double first = fit.step(0);
  double last = first;
  for (int64_t t = 1; t < 60; ++t) last = fit.step(t);
  if (variants().at(name).falls) CHECK(last < 0.8 * first);
}

TEST_CASE("every method resumes bit for bit in the middle of its cycle", "[methods][contract]") {
  const auto name = any_method();
  const int64_t cut = GENERATE(1, 3, 4, 6, 7);
  CAPTURE(name, cut);
  Fit whole(name), resumed(name);
  whole.method->on_start(whole.optimizer);
  for (int64_t t = 0; t < cut; ++t) whole.step(t);
  resumed.restore(whole.state());
  for (int64_t t = cut; t < cut + 8; ++t) {
    whole.step(t);
    resumed.step(t);
  }
  const auto expected = whole.state(), actual = resumed.state();
  REQUIRE(expected.size() == actual.size());
  for (const auto& [tensor_name, tensor] : expected) {
    CAPTURE(tensor_name);
    CHECK(torch::equal(tensor, actual.at(tensor_name)));
  }
}

TEST_CASE("every method can start again from a dense matrix", "[methods][contract]") {
  const auto name = any_method();
  CAPTURE(name);
  Fit fit(name);
  fit.method->on_start(fit.optimizer);
  for (int64_t t = 0; t < 4; ++t) fit.step(t);
  const Tensor fresh = gaussian({5, 7}, 70);
  fit.first->set_dense_weight(fresh);
  CHECK(distance(fit.first->dense_weight(), fresh) < 1e-13);
}

TEST_CASE("every layer names tensors that it has", "[methods][contract]") {
  const auto name = any_method();
  CAPTURE(name);
  Fit fit(name);
  std::map<std::string, Tensor> trained;
  for (const auto& [local, tensor] : nn::trainable_tensors(*fit.first)) trained[local] = tensor;
  for (const std::string& local : fit.first->low_rank_names()) CHECK(trained.count(local) == 1);
  for (const std::string& local : fit.first->decayed_names()) CHECK(trained.count(local) == 1);
}

TEST_CASE("every method's layer applies a substituted matrix and then its own again", "[methods][contract]") {
  const auto name = any_method();
  CAPTURE(name);
  Fit fit(name);
  fit.method->on_start(fit.optimizer);
  fit.step(0);
  const Tensor before = fit.first->forward(fit.x).detach(), other = gaussian({5, 7}, 90);
  const auto own = fit.first->dense_weight().clone();
  fit.first->substitute(other);
  const Tensor expected = fit.x.mm(other.t()) + fit.first->bias().detach();
  CHECK(distance(fit.first->forward(fit.x).detach(), expected) < 1e-12);
  CHECK(torch::equal(fit.first->dense_weight(), own));
  fit.first->substitute({});
  CHECK(torch::equal(fit.first->forward(fit.x).detach(), before));
}

}  // namespace sst::methods
