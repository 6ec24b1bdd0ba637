// Momentum and Adam on a matrix of rank 5 whose smallest singular value is a thousandth of the largest: least squares
// towards a target of the same rank, problem T1 of tests/optim/low_rank_test.cpp. Prints the losses as a table in Markdown
// and draws them.
//     low_rank_toy losses.png

#include <fmt/format.h>

#include <fstream>

#include "report/gnuplot.hpp"
#include "tests/support/matrix_problems.hpp"

namespace sst::optim {
namespace {

constexpr int64_t kSteps = 1000;

struct Line {
  std::string name, style;     ///< gnuplot's
  std::vector<double> losses;  ///< before each step, and after the last
};

std::vector<Line> lines() {
  const Tensor target = target_with(kSigma);
  const Sgd momentum(SgdOptions{.momentum = 0.9});
  const Adam adam(AdamOptions{});
  const auto geometric = [&](std::unique_ptr<UpdateRule> rule, double lr, int64_t inner_steps = 1) {
    return Run(std::move(rule), start_of_rank(5), {}, inner_steps).losses(kSteps, target, lr);
  };
  return {
      {"heavy ball, dense, 0.1", "lc 'black' lw 4",
       Factors(momentum, {dense(start_of_rank(5))}).losses(kSteps, target, 0.1)},
      {"lowrank_heavy_ball, 0.1", "lc '#0072b2' lw 2", geometric(heavy_ball(), 0.1)},
      {"lowrank_heavy_ball, 1.0", "lc '#56b4e9' lw 2", geometric(heavy_ball(), 1.0)},
      {"lowrank_heavy_ball_galerkin, 0.1", "lc '#009e73' lw 2", geometric(galerkin(), 0.1)},
      {"lowrank_adam, scalar, 0.05", "lc '#e69f00' lw 2", geometric(low_rank_adam(SecondMoment::kScalar), 0.05)},
      {"lowrank_adam, row, 0.02", "lc '#d55e00' lw 2", geometric(low_rank_adam(SecondMoment::kRow), 0.02)},
      {"lowrank_adam, coeff, 10 inner steps, 0.02", "lc '#cc79a7' lw 2",
       geometric(low_rank_adam(SecondMoment::kCoefficient, MomentTransport::kSqrt), 0.02, 10)},
      {"heavy ball on U, S, V, 0.02", "lc '#0072b2' lw 2 dt 2",
       Factors(momentum, three_factors()).losses(kSteps, target, 0.02)},
      {"heavy ball on B, A, 0.1", "lc '#009e73' lw 2 dt 2",
       Factors(momentum, two_factors()).losses(kSteps, target, 0.1)},
      {"Adam on U, S, V, 0.05", "lc '#e69f00' lw 2 dt 2", Factors(adam, three_factors()).losses(kSteps, target, 0.05)},
      {"Adam on B, A, 0.1", "lc '#d55e00' lw 2 dt 2", Factors(adam, two_factors()).losses(kSteps, target, 0.1)},
  };
}

void print_table(const std::vector<Line>& lines) {
  fmt::print("| optimizer, rate | 50 | 100 | 300 | 1000 |\n|---|---:|---:|---:|---:|\n");
  for (const Line& line : lines) {
    fmt::print("| {} ", line.name);
    for (const size_t step : {50, 100, 300, 1000}) fmt::print("| {:.1e} ", line.losses[step]);
    fmt::print("|\n");
  }
}

/// Losses below what float64 tells apart from zero are cut off.
std::string commands(const std::vector<Line>& lines) {
  std::string plots, data;
  for (const Line& line : lines) {
    plots +=
        fmt::format("{}'-' with lines {} title '{}' noenhanced", plots.empty() ? "plot " : ", ", line.style, line.name);
    for (size_t step = 0; step < line.losses.size(); step += 4)
      if (line.losses[step] > 1e-26) data += fmt::format("{} {}\n", step, line.losses[step]);
    data += "e\n";
  }
  return "set terminal pngcairo size 900,640 font 'sans,11'\nset logscale y\nset format y '10^{%T}'\nset grid\n"
         "set xlabel 'step'\nset ylabel 'loss'\nset key below maxcols 2\nset yrange [1e-26:1e3]\n" +
         plots + "\n" + data;
}

}  // namespace
}  // namespace sst::optim

int main(int count, char** arguments) {
  using namespace sst;
  const auto lines = optim::lines();
  optim::print_table(lines);
  if (count < 2) return 0;
  const auto picture = report::run_gnuplot(optim::commands(lines));
  if (!picture) {
    fmt::print(stderr, "low_rank_toy: gnuplot drew nothing\n");
    return 1;
  }
  std::ofstream(arguments[1], std::ios::binary) << *picture;
}
