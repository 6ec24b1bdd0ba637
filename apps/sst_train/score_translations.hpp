#pragma once

#include <string>
#include <vector>

#include "metrics/corpus_metric.hpp"
#include "metrics/translation_metrics.hpp"
#include "verb.hpp"

namespace sst::app {

/// `sst-train score --hyp FILE --ref FILE…`: files of lines, `-` for standard input.
struct TranslationFiles {
  std::string hypotheses, baseline;  ///< baseline: of another system, for the paired test; may be empty
  std::vector<std::string> references;
};

struct TranslationScores {
  std::vector<std::string> metrics = {"bleu"};
  metrics::TranslationScoring scoring;
  metrics::Resampling resampling{.samples = 0};  ///< no intervals; with a baseline sacreBLEU's 1000
};

/// Prints a line, or an entry of JSON, for each metric.
///   throws    DataError with file and line: missing, not UTF-8, numbers of lines that differ; UserError: unknown names
ExitCode score_translations(const TranslationFiles& files, TranslationScores wanted, const CommonFlags& common);

}  // namespace sst::app
