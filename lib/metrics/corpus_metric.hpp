#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Scores of translations, equal to sacreBLEU 2.6.0 (github.com/mjpost/sacrebleu): one row of whole numbers for each
/// sentence, and a score that follows from sums of rows.
namespace sst::metrics {

/// Bootstrap resampling: how often, and NumPy's seed. sacreBLEU's defaults.
struct Resampling {
  int64_t samples = 1000;
  uint64_t seed = 12345;
};

class CorpusMetric {
 public:
  virtual ~CorpusMetric() = default;

  virtual std::string name() const = 0;      ///< "BLEU", "chrF2++"
  virtual std::string settings() const = 0;  ///< "case:mixed|eff:no|tok:13a|smooth:exp"
  virtual size_t width() const = 0;          ///< numbers in a row

  /// Fills the row of one sentence. Texts are valid UTF-8; there is at least one reference.
  virtual void count(std::string_view hypothesis, std::span<const std::string_view> references,
                     std::span<int32_t> row) = 0;

  /// From 0 to 100.
  virtual double score(std::span<const int64_t> sums) const = 0;
  /// What stands after the score on its line, with the space before it; may be empty.
  virtual std::string details(std::span<const int64_t>) const { return {}; }

  /// What makes the number comparable: "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0".
  std::string signature(size_t references, const std::optional<Resampling>& resampling = {}) const;
};

/// The rows of a corpus.
struct Statistics {
  size_t width = 0;
  std::vector<int32_t> rows;  ///< [sentences, width]

  size_t sentences() const { return rows.size() / width; }
  std::vector<int64_t> sums() const;
};

/// references[k][i] is reference k of hypotheses[i].
///   throws    DataError when their numbers differ, there is no reference, or a text is not UTF-8
Statistics count_corpus(CorpusMetric& metric, std::span<const std::string> hypotheses,
                        std::span<const std::vector<std::string>> references);

/// The score in one call; what count_corpus throws.
double corpus_score(CorpusMetric& metric, std::span<const std::string> hypotheses,
                    std::span<const std::vector<std::string>> references);

}  // namespace sst::metrics
