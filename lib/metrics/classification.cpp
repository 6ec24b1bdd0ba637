#include "metrics/classification.hpp"

#include <string>
#include <vector>

#include "core/error.hpp"

namespace sst::metrics {
namespace {

struct Counts {
  int64_t hit = 0, predicted = 0, actual = 0;
  /// 2PR / (P + R) written without the two divisions that can be 0/0.
  double f1() const {
    const int64_t claims = predicted + actual;
    return claims == 0 ? 0.0 : 2.0 * static_cast<double>(hit) / static_cast<double>(claims);
  }
};

std::vector<Counts> count_classes(std::span<const int64_t> predicted, std::span<const int64_t> labels,
                                  int64_t classes) {
  std::vector<Counts> counts(static_cast<size_t>(classes));
  for (size_t i = 0; i < labels.size(); ++i) {
    const int64_t guess = predicted[i], truth = labels[i];
    require(guess >= 0 && guess < classes && truth >= 0 && truth < classes,
            "classification_scores: class " + std::to_string(guess < 0 || guess >= classes ? guess : truth) +
                " is outside [0, " + std::to_string(classes) + ")");
    ++counts[static_cast<size_t>(guess)].predicted;
    ++counts[static_cast<size_t>(truth)].actual;
    if (guess == truth) ++counts[static_cast<size_t>(truth)].hit;
  }
  return counts;
}

}  // namespace

ClassificationScores classification_scores(std::span<const int64_t> predicted, std::span<const int64_t> labels,
                                           int64_t classes) {
  require(!labels.empty(), "classification_scores: no labels");
  require(predicted.size() == labels.size(), "classification_scores: " + std::to_string(predicted.size()) +
                                                 " predictions for " + std::to_string(labels.size()) + " labels");
  require(classes >= 1, "classification_scores: no classes");

  int64_t hits = 0;
  double f1_sum = 0;
  const auto counts = count_classes(predicted, labels, classes);
  for (const Counts& of_class : counts) {
    hits += of_class.hit;
    f1_sum += of_class.f1();
  }
  ClassificationScores scores;
  scores.accuracy = static_cast<double>(hits) / static_cast<double>(labels.size());
  // With exactly one prediction per item micro precision, micro recall and accuracy are one number.
  scores.f1 = classes == 2 ? counts[1].f1() : scores.accuracy;
  scores.f1_macro = f1_sum / static_cast<double>(classes);
  return scores;
}

}  // namespace sst::metrics
