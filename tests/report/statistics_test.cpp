#include "report/statistics.hpp"

#include <cmath>
#include <vector>

#include "tests/support/catch.hpp"

using namespace sst::report;

TEST_CASE("the incomplete beta function has its closed forms", "[run]") {
  constexpr double kRounding = 1e-12;
  CHECK(incomplete_beta(1, 1, 0.3) == Approx(0.3).epsilon(kRounding));
  CHECK(incomplete_beta(2, 1, 0.3) == Approx(0.09).epsilon(kRounding));
  CHECK(incomplete_beta(1, 3, 0.3) == Approx(1 - 0.7 * 0.7 * 0.7).epsilon(kRounding));
  CHECK(incomplete_beta(0.5, 0.5, 0.3) == Approx(2 / M_PI * std::asin(std::sqrt(0.3))).epsilon(kRounding));
  CHECK(incomplete_beta(3.5, 0.5, 0) == 0);
  CHECK(incomplete_beta(3.5, 0.5, 1) == 1);
}

TEST_CASE("Welch's test gives the values scipy gives", "[run]") {
  // scipy 1.17: ttest_ind([…], […], equal_var=False)
  const std::vector<double> a = {81.0, 81.4, 80.5}, b = {80.7, 77.2, 77.9};
  const auto test = welch_test(a, b);
  REQUIRE(test);
  CHECK(test->t == Approx(2.1505279914946023));
  CHECK(test->degrees_of_freedom == Approx(2.236293035135835));
  CHECK(test->p == Approx(0.1508776403334176));
  CHECK(welch_test(b, a)->t == Approx(-test->t));
}

TEST_CASE("Welch's test says nothing where seeds say nothing", "[run]") {
  const std::vector<double> one = {1.0}, same = {2.0, 2.0}, two = {1.0, 3.0};
  CHECK_FALSE(welch_test(one, two));
  CHECK_FALSE(welch_test(same, same));
  CHECK(welch_test(same, two));
}

TEST_CASE("the standard deviation is the sample's", "[run]") {
  const std::vector<double> values = {2, 4, 6};
  CHECK(mean(values) == 4);
  CHECK(*sample_sd(values) == Approx(2));
  CHECK_FALSE(sample_sd(std::vector<double>{3.0}));
}
