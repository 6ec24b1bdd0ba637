#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/registry.hpp"
#include "metrics/bleu.hpp"
#include "metrics/corpus_metric.hpp"
#include "recipe/words.hpp"

namespace sst::metrics {

/// How translations are scored, whichever the metric.
struct TranslationScoring {
  std::string tokenize = "13a";
  bool lowercase = false;
  std::string smooth = "exp";
  std::optional<double> smooth_value = {};  ///< of floor and add-k

  template <class Field>
  void describe(Field& field) {
    field(tokenize, "bleu.tokenize", recipe::one_of(bleu_tokenizers().names()),
          "how BLEU cuts words, as sacreBLEU names it");
    field(lowercase, "bleu.lowercase", recipe::anything(), "scores lower-cased text");
    field(smooth, "bleu.smooth", recipe::one_of(smoothings().names()),
          "what BLEU does where no n-gram of an order matches");
  }
};

using TranslationMetricMaker = std::unique_ptr<CorpusMetric> (*)(const TranslationScoring& scoring);

/// "bleu", "chrf" (chrF2), "chrf++", "multi-bleu", "multi-bleu-detok". A maker throws UserError for an unknown
/// tokenizer or smoothing.
const Registry<TranslationMetricMaker>& translation_metrics();

}  // namespace sst::metrics
