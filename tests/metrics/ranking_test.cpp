#include "metrics/ranking.hpp"

#include <cmath>
#include <stdexcept>
#include <vector>

#include "tests/support/catch.hpp"

using sst::metrics::ranking_scores;
using sst::testing::kRounding;

namespace {
const std::vector<double> kNothing;
}  // namespace

TEST_CASE("a perfect ranking scores one and a reversed one scores no area", "[metrics]") {
  const std::vector<double> high{3, 4, 5}, low{0, 1};
  CHECK(ranking_scores(high, low).roc_auc == 1.0);
  CHECK(ranking_scores(high, low).average_precision == 1.0);
  CHECK(ranking_scores(low, high).roc_auc == 0.0);
  // The two positives come 4th and 5th: (1/4 + 2/5) / 2.
  CHECK(ranking_scores(low, high).average_precision == Approx(0.325).epsilon(kRounding));
}

TEST_CASE("tied scores count half in the area and share one threshold in the precision", "[metrics]") {
  // Reference case `ranking_metrics_ties`: scores .9+ .8+ .8- .3+ .8- .3- .1+ .05-
  const std::vector<double> positive{0.9, 0.8, 0.3, 0.1}, negative{0.8, 0.8, 0.3, 0.05};
  const auto scores = ranking_scores(positive, negative);
  CHECK(scores.roc_auc == Approx(0.59375).epsilon(kRounding));
  CHECK(scores.average_precision == Approx(0.6428571428571428).epsilon(kRounding));
}

TEST_CASE("scores that are all equal say nothing", "[metrics]") {
  const std::vector<float> positive(3, 0.5F), negative(9, 0.5F);
  CHECK(ranking_scores(positive, negative).roc_auc == 0.5);
  CHECK(ranking_scores(positive, negative).average_precision == 0.25);
}

TEST_CASE("the order in which scores are given does not matter", "[metrics]") {
  const std::vector<float> a{1.F, -2.F, 7.F}, b{7.F, 1.F, -2.F}, negative{0.F, 7.F, -3.F, 0.5F};
  CHECK(ranking_scores(a, negative).roc_auc == ranking_scores(b, negative).roc_auc);
  CHECK(ranking_scores(a, negative).average_precision == ranking_scores(b, negative).average_precision);
}

TEST_CASE("a ranking without positives, without negatives or with a nan is refused", "[metrics]") {
  const std::vector<double> some{1.0}, nan{std::nan("")};
  CHECK_THROWS_AS(ranking_scores(kNothing, some), std::logic_error);
  CHECK_THROWS_AS(ranking_scores(some, kNothing), std::logic_error);
  CHECK_THROWS_AS(ranking_scores(some, nan), std::logic_error);
}
