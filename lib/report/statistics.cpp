#include "report/statistics.hpp"

#include <cmath>

#include "core/error.hpp"

namespace sst::report {
namespace {

/// The continued fraction of I_x(a, b), which converges fast for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300, kEnough = 1e-15;
  constexpr int kMostTerms = 500;
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double value = d;
  for (int m = 1; m <= kMostTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double factor = 1;
    for (const double term : {even, odd}) {
      d = 1 / away_from_zero(1 + term * d);
      c = away_from_zero(1 + term / c);
      factor = c * d;
      value *= factor;
    }
    if (std::abs(factor - 1) < kEnough) break;
  }
  return value;
}

}  // namespace

double mean(std::span<const double> values) {
  require(!values.empty(), "mean of nothing");
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

std::optional<double> sample_sd(std::span<const double> values) {
  if (values.size() < 2) return {};
  const double center = mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - center) * (value - center);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double incomplete_beta(double a, double b, double x) {
  require(a > 0 && b > 0 && x >= 0 && x <= 1, "incomplete_beta outside its domain");
  if (x == 0 || x == 1) return x;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

std::optional<WelchTest> welch_test(std::span<const double> a, std::span<const double> b) {
  const auto sd_a = sample_sd(a), sd_b = sample_sd(b);
  if (!sd_a || !sd_b) return {};
  const auto n_a = static_cast<double>(a.size()), n_b = static_cast<double>(b.size());
  const double error_a = *sd_a * *sd_a / n_a, error_b = *sd_b * *sd_b / n_b;
  const double error = error_a + error_b;
  if (error == 0) return {};
  WelchTest test;
  test.t = (mean(a) - mean(b)) / std::sqrt(error);
  test.degrees_of_freedom = error * error / (error_a * error_a / (n_a - 1) + error_b * error_b / (n_b - 1));
  test.p = incomplete_beta(test.degrees_of_freedom / 2, 0.5,
                           test.degrees_of_freedom / (test.degrees_of_freedom + test.t * test.t));
  return test;
}

}  // namespace sst::report
