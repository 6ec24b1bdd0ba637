#pragma once

#include <cstdint>
#include <span>

namespace sst::metrics {

struct ClassificationScores {
  double accuracy = 0;
  double f1 = 0;        ///< as HyboNet publishes it: micro for more than two classes, binary F1 of class 1 for two
  double f1_macro = 0;  ///< mean over the classes of their binary F1; a class without any true or predicted member is 0
};

/// `predicted` and `labels` of the same length, entries in [0, classes). Throws std::logic_error when empty.
ClassificationScores classification_scores(std::span<const int64_t> predicted, std::span<const int64_t> labels,
                                           int64_t classes);

}  // namespace sst::metrics
