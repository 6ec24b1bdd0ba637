#include "metrics/corpus_metric.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "text/utf8.hpp"

namespace sst::metrics {
namespace {

constexpr std::string_view kVersion = "2.6.0";  // of sacreBLEU, whose numbers these are

void check_utf8(std::span<const std::string> texts, const std::string& what) {
  for (size_t i = 0; i < texts.size(); ++i)
    if (const auto at = text::first_malformed(texts[i]))
      throw DataError(fmt::format("{} {}: byte {} (0x{:02x}) is not UTF-8", what, i + 1, *at,
                                  static_cast<unsigned char>(texts[i][*at])));
}

void check_corpus(std::span<const std::string> hypotheses, std::span<const std::vector<std::string>> references) {
  if (references.empty()) throw DataError("there is no reference to compare with");
  check_utf8(hypotheses, "hypothesis");
  for (size_t k = 0; k < references.size(); ++k) {
    if (references[k].size() != hypotheses.size())
      throw DataError(fmt::format("there are {} hypotheses and {} sentences in reference {}", hypotheses.size(),
                                  references[k].size(), k + 1));
    check_utf8(references[k], fmt::format("reference {}, sentence", k + 1));
  }
}

}  // namespace

std::string CorpusMetric::signature(size_t references, const std::optional<Resampling>& resampling) const {
  const std::string drawn = resampling ? fmt::format("|bs:{}|seed:{}", resampling->samples, resampling->seed) : "";
  return fmt::format("nrefs:{}{}|{}|version:{}", references, drawn, settings(), kVersion);
}

std::vector<int64_t> Statistics::sums() const {
  std::vector<int64_t> sums(width);
  for (size_t i = 0; i < rows.size(); ++i) sums[i % width] += rows[i];
  return sums;
}

Statistics count_corpus(CorpusMetric& metric, std::span<const std::string> hypotheses,
                        std::span<const std::vector<std::string>> references) {
  check_corpus(hypotheses, references);
  Statistics statistics{.width = metric.width(), .rows = {}};
  statistics.rows.resize(hypotheses.size() * statistics.width);
  std::vector<std::string_view> of_sentence(references.size());
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    for (size_t k = 0; k < references.size(); ++k) of_sentence[k] = references[k][i];
    metric.count(hypotheses[i], of_sentence, std::span(statistics.rows).subspan(i * metric.width(), metric.width()));
  }
  return statistics;
}

double corpus_score(CorpusMetric& metric, std::span<const std::string> hypotheses,
                    std::span<const std::vector<std::string>> references) {
  return metric.score(count_corpus(metric, hypotheses, references).sums());
}

}  // namespace sst::metrics
