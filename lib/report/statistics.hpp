#pragma once

#include <optional>
#include <span>

/// The little statistics a table over seeds needs.
namespace sst::report {

/// Throws std::logic_error when empty.
double mean(std::span<const double> values);

/// Sample standard deviation (n − 1); nothing for fewer than two values.
std::optional<double> sample_sd(std::span<const double> values);

/// Regularised incomplete beta function I_x(a, b) for x in [0, 1], a, b > 0, to about 1e-14.
///   source  Lentz's method on the continued fraction 8.17.22 of the NIST Handbook of Mathematical Functions
double incomplete_beta(double a, double b, double x);

struct WelchTest {
  double t = 0;
  double degrees_of_freedom = 0;
  double p = 1;  ///< two-sided
};

/// Do two samples of unequal variance share their mean? Nothing when either has fewer than two values, or
/// when neither varies at all (then t is 0/0 or infinite, and says nothing about seeds).
///   source  Welch 1947; degrees of freedom by Satterthwaite's equation
std::optional<WelchTest> welch_test(std::span<const double> a, std::span<const double> b);

}  // namespace sst::report
