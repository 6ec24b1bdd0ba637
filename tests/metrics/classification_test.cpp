#include "metrics/classification.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/reference_case.hpp"

using sst::metrics::classification_scores;
using sst::testing::kRounding;

namespace {

using Labels = std::vector<int64_t>;

/// Arg max of each row of the logits of a reference case.
Labels predictions(const nlohmann::json& logits) {
  Labels best;
  for (const auto& row : logits) {
    const auto values = row.get<std::vector<double>>();
    best.push_back(std::max_element(values.begin(), values.end()) - values.begin());
  }
  return best;
}

}  // namespace

TEST_CASE("with two classes the score is the binary F1 of class 1", "[metrics]") {
  // Reference case `nc_binary_metrics`: predictions 0 1 0 1 0 1 1 0 for labels 0 1 1 0 1 0 1 1.
  const Labels predicted{0, 1, 0, 1, 0, 1, 1, 0}, labels{0, 1, 1, 0, 1, 0, 1, 1};
  const auto scores = classification_scores(predicted, labels, 2);
  CHECK(scores.accuracy == Approx(0.375).epsilon(kRounding));
  CHECK(scores.f1 == Approx(4.0 / 9.0).epsilon(kRounding));
  CHECK(scores.f1_macro == Approx((2.0 / 7.0 + 4.0 / 9.0) / 2).epsilon(kRounding));
}

TEST_CASE("with more classes the score is micro F1, which is the accuracy", "[metrics]") {
  const Labels predicted{0, 1, 2, 2}, labels{0, 2, 2, 1};
  const auto scores = classification_scores(predicted, labels, 3);
  CHECK(scores.accuracy == 0.5);
  CHECK(scores.f1 == 0.5);
  CHECK(scores.f1_macro == Approx((1.0 + 0.0 + 0.5) / 3).epsilon(kRounding));
}

TEST_CASE("a class nobody has and nobody predicts counts as zero in the macro mean", "[metrics]") {
  const Labels all_zero{0, 0};
  CHECK(classification_scores(all_zero, all_zero, 4).f1_macro == 0.25);
  CHECK(classification_scores(all_zero, all_zero, 2).f1 == 0.0);
}

TEST_CASE("no labels, lists of different length and classes out of range are refused", "[metrics]") {
  const Labels none, one{0}, two{0, 1}, outside{2};
  CHECK_THROWS_AS(classification_scores(none, none, 2), std::logic_error);
  CHECK_THROWS_AS(classification_scores(one, two, 2), std::logic_error);
  CHECK_THROWS_AS(classification_scores(outside, one, 2), std::logic_error);
}

TEST_CASE("accuracy and F1 agree with the reference numbers", "[metrics]") {
  const auto binary = sst::testing::reference_case("nc_binary_metrics");
  const auto many = sst::testing::reference_case("nc_margin_loss");
  if (!binary || !many) return;
  const auto labels = binary->at("inputs").at("labels").get<Labels>();
  const auto two = classification_scores(predictions(binary->at("inputs").at("logits")), labels, 2);
  CHECK(two.accuracy == Approx(binary->at("outputs").at("accuracy").get<double>()).epsilon(kRounding));
  CHECK(two.f1 == Approx(binary->at("outputs").at("f1_binary").get<double>()).epsilon(kRounding));

  const auto many_labels = many->at("inputs").at("labels").get<Labels>();
  const auto three = classification_scores(predictions(many->at("inputs").at("logits")), many_labels, 3);
  CHECK(three.accuracy == Approx(many->at("outputs").at("accuracy").get<double>()).epsilon(kRounding));
  CHECK(three.f1 == Approx(many->at("outputs").at("f1_micro").get<double>()).epsilon(kRounding));
}
