#include "run/spike_watch.hpp"

#include <cmath>

#include "tests/support/catch.hpp"

namespace sst::run {
namespace {

constexpr SpikeWatch::Options kSmall = {.sigma = 3, .window = 4};
constexpr double kExact = 1e-12;

SpikeWatch after(std::initializer_list<double> losses) {
  SpikeWatch watch;
  for (const double loss : losses) watch.accept(loss, 10 * loss, kSmall);
  return watch;
}

}  // namespace

TEST_CASE("a score counts sample deviations above the mean of the window", "[run]") {
  const auto scores = after({1, 2, 3}).scores(5, 20, kSmall);  // mean 2, deviation 1; norms 20 and 10
  CHECK(scores.loss == Approx(3).epsilon(kExact));
  CHECK(scores.gradient_norm == Approx(0).margin(kExact));
  CHECK(after({1, 2, 3}).scores(0, 0, kSmall).loss == Approx(-2).epsilon(kExact));
}

TEST_CASE("the window forgets the oldest accepted step", "[run]") {
  const auto scores = after({1e6, 1, 2, 3, 4}).scores(2.5, 25, kSmall);
  CHECK(scores.loss == Approx(0).margin(kExact));
}

TEST_CASE("nothing is a spike before half the window is filled or without spread", "[run]") {
  CHECK(after({}).scores(1e9, 1e9, kSmall).loss == 0);
  CHECK(after({1}).scores(1e9, 1e9, kSmall).loss == 0);
  CHECK(after({1, 2}).scores(1e9, 1e9, kSmall).loss > 1e6);
  CHECK(after({2, 2, 2}).scores(3, 30, kSmall).loss == 0);
}

TEST_CASE("a watch that was saved scores the same bits", "[run]") {
  const SpikeWatch watch = after({1.0 / 3, std::sqrt(2.0), 0.1, 1e-17});
  SpikeWatch again;
  again.from_json(nlohmann::json::parse(watch.to_json().dump()));
  CHECK(again.scores(7, 8, kSmall).loss == watch.scores(7, 8, kSmall).loss);
  CHECK(again.scores(7, 8, kSmall).gradient_norm == watch.scores(7, 8, kSmall).gradient_norm);
}

}  // namespace sst::run
