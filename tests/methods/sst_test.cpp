#include "methods/sst.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "optim/adam.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/spectral_fixtures.hpp"

namespace sst::methods {
namespace {

using testing::distance;
using testing::gaussian;
using testing::spec_of;

/// One spectral layer "layer" [4, 7] and a dense neighbour, stepped by Adam against random gradients.
struct SstRun {
  Sst method;
  std::shared_ptr<nn::LinearMap> layer;
  torch::Tensor neighbour = torch::zeros({3}, torch::kFloat64).requires_grad_();
  optim::Optimizer optimizer{std::make_unique<optim::Adam>(optim::AdamOptions{}), 0.0};

  explicit SstRun(const SstOptions& options, uint64_t seed = 7)
      : method(options, {.seed = seed, .hidden_size = 4, .rows_per_step = 6, .euclidean = false}),
        layer(method.make_linear(spec_of(4, 7))) {
    const auto low_rank = layer->low_rank_names();
    for (const auto& [name, tensor] : nn::trainable_tensors(*layer)) {
      const bool is_low_rank = std::find(low_rank.begin(), low_rank.end(), name) != low_rank.end();
      optimizer.add({.name = "layer." + name,
                     .tensor = tensor,
                     .group = is_low_rank ? optim::Group::kLowRank : optim::Group::kBase});
    }
    optimizer.add({"neighbour", neighbour});
    method.on_start(optimizer);
  }

  void step(int64_t t, double rate = 0.05) {
    optimizer.zero_grad();
    const auto x = gaussian({6, 7}, 50 + static_cast<uint64_t>(t)), r = gaussian({6, 4}, 80 + static_cast<uint64_t>(t));
    ((layer->forward(x) * r).sum() + (neighbour * neighbour).sum() + neighbour.sum()).backward();
    method.before_step(t, optimizer);
    const auto factors = method.rate_factors(t);
    optimizer.step({.base = rate * factors.base, .low_rank = rate * factors.low_rank});
    method.after_step(t, optimizer);
  }
  SpectralLinear& spectral() { return *method.layers().at(0); }
};

SstOptions short_rounds() {
  SstOptions options;
  options.rank = 2;
  options.iteration_interval = recipe::Interval::steps(3);
  options.restart_warmup_steps = 2;
  return options;
}

}  // namespace

TEST_CASE("sampling probabilities sum to 1 and never fall below 1/(2k)", "[methods][sst]") {
  const auto p = sampling_probabilities({4, 1, 0, 0, 3});
  double sum = 0;
  for (const double value : p) {
    sum += value;
    CHECK(value >= 0.1 - 1e-15);
  }
  CHECK(sum == Approx(1));
  CHECK(p[0] == Approx(0.5 * (0.2 + 0.5)));
  for (const double value : sampling_probabilities({0, 0, 0, 0})) CHECK(value == Approx(0.25));
}

TEST_CASE("draws are distinct, take all when r = k, and follow the probabilities when r = 1", "[methods][sst]") {
  const std::vector<double> p = {0.5, 0.25, 0.15, 0.1};
  const auto all = draw_without_replacement(p, 4, CounterRng(1, Stream::kMethod));
  CHECK(std::set<int64_t>(all.begin(), all.end()).size() == 4);
  constexpr int kDraws = 20000;
  std::map<int64_t, int> counts;
  for (uint64_t i = 0; i < kDraws; ++i) ++counts[draw_without_replacement(p, 1, CounterRng(1, Stream::kMethod, i))[0]];
  double chi_square = 0;
  for (int64_t slot = 0; slot < 4; ++slot) {
    const double expected = kDraws * p[static_cast<size_t>(slot)];
    chi_square += std::pow(counts[slot] - expected, 2) / expected;
  }
  CHECK(chi_square < 16.3);  // 0.1 % of the χ² law with 3 degrees of freedom
}

TEST_CASE("a pair drawn without replacement follows sequential draws with renormalisation", "[methods][sst]") {
  const std::vector<double> p = {0.6, 0.3, 0.1};
  int both_first = 0;
  constexpr int kDraws = 20000;
  for (uint64_t i = 0; i < kDraws; ++i) {
    const auto pair = draw_without_replacement(p, 2, CounterRng(2, Stream::kMethod, i));
    both_first += std::set<int64_t>(pair.begin(), pair.end()) == std::set<int64_t>{0, 1};
  }
  const double expected = 0.6 * 0.3 / 0.4 + 0.3 * 0.6 / 0.7;
  CHECK(both_first / double{kDraws} == Approx(expected).margin(0.015));
}

TEST_CASE("T2 is hidden size over rank, rounded, at least 1", "[methods][sst]") {
  const auto rounds = [](int64_t hidden, int64_t rank) {
    SstOptions options;
    options.rank = rank;
    return Sst(options, {.hidden_size = hidden}).iterations_per_round();
  };
  CHECK(rounds(16, 1) == 16);
  CHECK(rounds(16, 2) == 8);
  CHECK(rounds(768, 64) == 12);
  CHECK(rounds(64, 48) == 1);
  CHECK(rounds(8, 32) == 1);
}

TEST_CASE(
    "the first step after a draw has time step 1 and moves every coordinate by ±rate times the first warm-up factor",
    "[methods][sst]") {
  SstRun run(short_rounds());
  for (int64_t t = 0; t < 3; ++t) run.step(t);  // a draw follows step 2
  auto state = run.optimizer.state_dict();
  CHECK(state.at("step/layer.sigma").item<int64_t>() == 0);
  CHECK(state.at("step/neighbour").item<int64_t>() == 3);

  const torch::Tensor sigma = run.spectral().sigma().detach().clone();
  run.step(3);
  state = run.optimizer.state_dict();
  CHECK(state.at("step/layer.sigma").item<int64_t>() == 1);
  CHECK(state.at("step/layer.u_active").item<int64_t>() == 1);
  CHECK(state.at("step/neighbour").item<int64_t>() == 4);
  const torch::Tensor moved = (run.spectral().sigma().detach() - sigma).abs();
  const torch::Tensor untouched_by_clip = run.spectral().sigma().detach() > 0;
  const double expected = 0.05 * 0.5;  // rate × w(0), w = min(1, (t + 1) / 2)
  CHECK(distance(moved.masked_select(untouched_by_clip),
                 torch::full_like(moved, expected).masked_select(untouched_by_clip)) < 1e-5);
}

TEST_CASE("right after a draw both vector gradients are non-zero, where ReLoRA* has its saddle", "[methods][sst]") {
  SstRun run(short_rounds());
  for (int64_t t = 0; t < 3; ++t) run.step(t);
  run.optimizer.zero_grad();
  (run.layer->forward(gaussian({6, 7}, 60)) * gaussian({6, 4}, 61)).sum().backward();
  CHECK(run.spectral().u_active().grad().abs().max().item<double>() > 1e-3);
  CHECK(run.spectral().v_active().grad().abs().max().item<double>() > 1e-3);
}

TEST_CASE("a round ends with orthogonal factors and an event", "[methods][sst]") {
  SstRun run(short_rounds());  // T3 = 3, T2 = 4 / 2 = 2: a round is 6 steps
  for (int64_t t = 0; t < 5; ++t) run.step(t);
  CHECK(run.method.take_events().empty());
  CHECK(tensor::orthogonality_error(run.spectral().u().t()) > 1e-6);
  run.step(5);
  CHECK(tensor::orthogonality_error(run.spectral().u().t()) < 1e-12);
  const auto events = run.method.take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].name == "method_round");
  CHECK(events[0].values.at("method/effective_rank") > 1);
}

TEST_CASE("sequential sampling walks through all triplets without repetition", "[methods][sst]") {
  auto options = short_rounds();
  options.sampling = "sequential";
  options.iterations_per_round = {.value = 100, .word = ""};
  SstRun run(options);
  std::set<int64_t> seen;
  for (int64_t t = 0; t < 6; ++t) {
    if (t % 3 == 0)
      for (int64_t slot = 0; slot < 2; ++slot) CHECK(seen.insert(run.spectral().order()[slot].item<int64_t>()).second);
    run.step(t);
  }
  CHECK(seen == std::set<int64_t>{0, 1, 2, 3});
}

TEST_CASE("top_r sampling trains the largest singular values", "[methods][sst]") {
  auto options = short_rounds();
  options.sampling = "top_r";
  SstRun run(options);
  for (int64_t t = 0; t < 3; ++t) run.step(t);
  const auto sigma = run.spectral().sigma().detach();
  CHECK(sigma.narrow(0, 0, 2).min().item<double>() >= sigma.narrow(0, 2, 2).max().item<double>());
}

TEST_CASE("every layer draws for itself and every seed draws differently", "[methods][sst]") {
  std::set<std::vector<int64_t>> draws;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SstRun run(short_rounds(), seed);
    const auto order = run.spectral().order();
    draws.insert({order[0].item<int64_t>(), order[1].item<int64_t>()});
  }
  CHECK(draws.size() > 3);
}

TEST_CASE("the restart warm-up repeats in every iteration and leaves the base rate alone", "[methods][sst]") {
  auto options = short_rounds();
  const Sst lowrank(options, {.hidden_size = 4});
  for (const int64_t t : {0, 3, 6}) {
    CHECK(lowrank.rate_factors(t).low_rank == Approx(0.5));
    CHECK(lowrank.rate_factors(t + 1).low_rank == Approx(1));
    CHECK(lowrank.rate_factors(t).base == Approx(1));
  }
  options.restart_warmup_scope = "all";
  CHECK(Sst(options, {.hidden_size = 4}).rate_factors(3).base == Approx(0.5));
}

}  // namespace sst::methods
