#include "methods/dora.hpp"

#include "methods/vera.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/spectral_fixtures.hpp"

namespace sst::methods {
namespace {

using testing::distance;
using testing::gaussian;
using testing::spec_of;
using torch::Tensor;

constexpr double kTight = 1e-12;

Tensor parameter_of(nn::LinearMap& map, const std::string& name) { return map.named_parameters()[name]; }

void set_values(nn::LinearMap& map, const std::string& name, const Tensor& values) {
  const torch::NoGradGuard no_grad;
  parameter_of(map, name).copy_(values);
}

std::shared_ptr<nn::LinearMap> dora_map(int64_t out, int64_t in, double alpha = 4, double dropout = 0) {
  AdapterOptions options;
  options.rank = 2;
  options.alpha = alpha;
  options.dropout = dropout;
  return Dora(options, {.seed = 3}).make_linear(spec_of(out, in));
}

int64_t trained_numbers(const nn::LinearMap& map) {
  int64_t count = 0;
  for (const auto& [name, tensor] : nn::trainable_tensors(map)) count += tensor.numel();
  return count;
}

}  // namespace

TEST_CASE("DoRA starts as the dense layer, bit for bit", "[methods][dora]") {
  const auto map = dora_map(4, 7);
  CHECK(torch::equal(map->dense_weight(), spec_of(4, 7).initial_weight));
  CHECK(trained_numbers(*map) == 2 * (4 + 7) + 4 + 4);  // A, B, lengths, bias
}

TEST_CASE("a 2 x 3 DoRA layer can be checked by hand", "[methods][dora]") {
  // V = [[3, 4, 0], [0, 0, 2]] + 2 · [[0], [1]] · [0, 0, 1.5] = [[3, 4, 0], [0, 0, 5]], lengths 5 and 5; g = (10, 1).
  AdapterOptions options;
  options.rank = 1;
  options.alpha = 2;
  auto spec = spec_of(2, 3);
  spec.initial_weight = torch::tensor({{3.0, 4.0, 0.0}, {0.0, 0.0, 2.0}}, torch::kFloat64);
  const auto map = Dora(options, {.seed = 1}).make_linear(spec);
  set_values(*map, "lora_a", torch::tensor({{0.0, 0.0, 1.5}}, torch::kFloat64));
  set_values(*map, "lora_b", torch::tensor({{0.0}, {1.0}}, torch::kFloat64));
  set_values(*map, "magnitude", torch::tensor({10.0, 1.0}, torch::kFloat64));
  const Tensor expected = torch::tensor({{6.0, 8.0, 0.0}, {0.0, 0.0, 1.0}}, torch::kFloat64);
  CHECK(distance(map->dense_weight(), expected) < kTight);
  const Tensor x = torch::tensor({{1.0, 1.0, 2.0}}, torch::kFloat64);
  CHECK(distance(map->forward(x).detach(), torch::tensor({{14.0, 2.0}}, torch::kFloat64)) < kTight);
}

TEST_CASE("DoRA's gradients are the published ones, which hold the row lengths constant", "[methods][dora]") {
  const auto map = dora_map(4, 7);
  set_values(*map, "lora_b", gaussian({4, 2}, 5));
  set_values(*map, "magnitude", gaussian({4}, 6));
  const Tensor x = gaussian({6, 7}, 7), d = gaussian({6, 4}, 8);
  (map->forward(x) * d).sum().backward();
  const Tensor a = parameter_of(*map, "lora_a").detach(), b = parameter_of(*map, "lora_b").detach();
  const Tensor g = parameter_of(*map, "magnitude").detach();
  const double s = 4.0 / 2;
  const Tensor v = spec_of(4, 7).initial_weight + b.mm(a) * s;
  const Tensor c = v.norm(2, {1}, false);
  const Tensor scaled = d * (g / c);  // D ∘ (g / c)
  CHECK(distance(parameter_of(*map, "magnitude").grad(), (d * x.mm(v.t())).sum(0) / c) < kTight);
  CHECK(distance(parameter_of(*map, "lora_b").grad(), scaled.t().mm(x.mm(a.t())) * s) < kTight);
  CHECK(distance(parameter_of(*map, "lora_a").grad(), b.t().mm(scaled.t()).mm(x) * s) < kTight);
  CHECK(distance(map->dense_weight().norm(2, {1}, false), g.abs()) < kTight);  // row lengths are |g|
}

TEST_CASE("DoRA's lengths moved alone scale rows only", "[methods][dora]") {
  const auto map = dora_map(4, 7);
  const Tensor factors = torch::tensor({1.0, 2.0, 0.5, 3.0}, torch::kFloat64);
  set_values(*map, "magnitude", parameter_of(*map, "magnitude").detach() * factors);
  CHECK(distance(map->dense_weight(), spec_of(4, 7).initial_weight * factors.unsqueeze(1)) < kTight);
}

TEST_CASE("DoRA drops inputs of the update alone, and keeps its mean", "[methods][dora]") {
  const auto map = dora_map(4, 7, /*alpha=*/4, /*dropout=*/0.5);
  const Tensor x = gaussian({3, 7}, 7);
  const torch::NoGradGuard no_grad;
  const auto at_step = [&](int64_t step) { return map->forward(x, {.training = true, .seed = 1, .step = step}); };
  CHECK(distance(at_step(0), map->forward(x)) < kTight);  // while B is zero there is no update to drop from
  set_values(*map, "lora_b", gaussian({4, 2}, 5));
  CHECK(distance(at_step(0), map->forward(x)) > 0.1);
  constexpr int64_t kSteps = 4000;
  Tensor sum = torch::zeros({3, 4}, torch::kFloat64);
  for (int64_t step = 0; step < kSteps; ++step) sum += at_step(step);
  const Tensor expected = map->forward(x);
  CHECK(distance(sum / kSteps, expected) < 0.05 * expected.abs().max().item<double>());
}

TEST_CASE("a DoRA row without length stays zero", "[methods][dora]") {
  auto spec = spec_of(3, 4);
  spec.initial_weight[1].zero_();
  AdapterOptions options;
  options.rank = 1;
  const auto map = Dora(options, {.seed = 1}).make_linear(spec);
  CHECK(torch::equal(map->dense_weight(), spec.initial_weight));
  map->forward(gaussian({2, 4}, 5)).sum().backward();
  for (const auto& [name, tensor] : nn::trainable_tensors(*map)) CHECK(tensor.grad().isfinite().all().item<bool>());
}

TEST_CASE("VeRA's layers share one A and one B, leading columns and rows of the largest", "[methods][vera]") {
  VeraOptions options;
  options.rank = 2;
  Vera method(options, {.seed = 3});
  const auto small = method.make_linear(spec_of(3, 5)), large = method.make_linear(spec_of(6, 4));
  const Tensor a = method.shared()->a(5), b = method.shared()->b(6);
  CHECK(torch::equal(method.shared()->a(4), a.narrow(1, 0, 4)));
  CHECK(torch::equal(method.shared()->b(3), b.narrow(0, 0, 3)));
  CHECK(a.is_alias_of(method.shared()->a(4)));
  CHECK(a.abs().max().item<double>() <= 1 / std::sqrt(5.0));
  for (const auto& map : {small, large}) {
    set_values(*map, "vera_d", torch::tensor({2.0, -1.0}, torch::kFloat64));
    set_values(*map, "vera_b", gaussian({map->spec().out}, 9));
    const Tensor update = map->dense_weight() - spec_of(map->spec().out, map->spec().in).initial_weight;
    const Tensor expected = parameter_of(*map, "vera_b")
                                .detach()
                                .diag()
                                .mm(b.narrow(0, 0, map->spec().out))
                                .mm(parameter_of(*map, "vera_d").detach().diag())
                                .mm(a.narrow(1, 0, map->spec().in));
    CHECK(distance(update, expected) < kTight);
  }
  CHECK(trained_numbers(*small) == 3 + 2 + 3);  // v, d, bias

  Vera again(options, {.seed = 3}), other(options, {.seed = 4});
  for (Vera* method_again : {&again, &other})
    for (const int64_t in : {5, 5, 5}) method_again->make_linear(spec_of(6, in));
  CHECK(torch::equal(again.shared()->a(5), a));
  CHECK(torch::equal(again.shared()->b(6), b));
  CHECK_FALSE(torch::equal(other.shared()->a(5), a));
}

TEST_CASE("at the start of VeRA only the outer scales have a gradient", "[methods][vera]") {
  VeraOptions options;
  options.rank = 2;
  Vera method(options, {.seed = 3});
  const auto map = method.make_linear(spec_of(3, 5));
  CHECK(torch::equal(map->dense_weight(), spec_of(3, 5).initial_weight));
  (map->forward(gaussian({4, 5}, 6)) * gaussian({4, 3}, 7)).sum().backward();
  CHECK(parameter_of(*map, "vera_d").grad().abs().max().item<double>() == 0);
  CHECK(parameter_of(*map, "vera_b").grad().abs().min().item<double>() > 0);
}

}  // namespace sst::methods
