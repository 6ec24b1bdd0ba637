#include "metrics/translation_metrics.hpp"

#include "metrics/chrf.hpp"
#include "metrics/multi_bleu.hpp"

namespace sst::metrics {
namespace {

using Made = std::unique_ptr<CorpusMetric>;

Made make_bleu(const TranslationScoring& scoring) {
  return std::make_unique<Bleu>(BleuOptions{.tokenizer = bleu_tokenizers().at(scoring.tokenize),
                                            .lowercase = scoring.lowercase,
                                            .smoothing = smoothings().at(scoring.smooth),
                                            .smooth_value = scoring.smooth_value});
}

template <size_t word_order>
Made make_chrf(const TranslationScoring& scoring) {
  return std::make_unique<Chrf>(ChrfOptions{.word_order = word_order, .lowercase = scoring.lowercase});
}

template <bool detokenized>
Made make_multi_bleu(const TranslationScoring& scoring) {
  return std::make_unique<MultiBleu>(MultiBleuOptions{.detokenized = detokenized, .lowercase = scoring.lowercase});
}

}  // namespace

const Registry<TranslationMetricMaker>& translation_metrics() {
  static const Registry<TranslationMetricMaker> list = [] {
    Registry<TranslationMetricMaker> makers("metric");
    makers.add("bleu", make_bleu);
    makers.add("chrf", make_chrf<0>);
    makers.add("chrf++", make_chrf<2>);
    makers.add("multi-bleu", make_multi_bleu<false>);
    makers.add("multi-bleu-detok", make_multi_bleu<true>);
    return makers;
  }();
  return list;
}

}  // namespace sst::metrics
