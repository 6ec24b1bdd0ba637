#include "score_translations.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/text.hpp"
#include "metrics/bootstrap.hpp"
#include "text/line_reader.hpp"

namespace sst::app {
namespace {

using Sentences = std::vector<std::string>;

struct Texts {
  Sentences hypotheses, baseline;
  std::vector<Sentences> references;
};

Texts read_texts(const TranslationFiles& files) {
  std::vector<std::string> paths = files.references;
  paths.push_back(files.hypotheses);
  if (!files.baseline.empty()) paths.push_back(files.baseline);
  if (std::count(paths.begin(), paths.end(), text::kStandardInput) > 1)
    throw UserError("'-' stands more than once, but standard input can be read once only");
  Texts texts{.hypotheses = text::read_lines(files.hypotheses), .baseline = {}, .references = {}};
  const auto read_as_many = [&](const std::string& path) {
    Sentences lines = text::read_lines(path);
    if (lines.size() != texts.hypotheses.size())
      throw DataError(fmt::format("{}:{}: the file ends with this line, but {} has {} lines", path, lines.size(),
                                  files.hypotheses, texts.hypotheses.size()),
                      "line i of every file must belong to sentence i");
    return lines;
  };
  for (const std::string& path : files.references) texts.references.push_back(read_as_many(path));
  if (!files.baseline.empty()) texts.baseline = read_as_many(files.baseline);
  if (texts.hypotheses.empty()) throw DataError(files.hypotheses + " has no line, so there is nothing to score");
  return texts;
}

/// One metric on one system.
struct Counted {
  metrics::Statistics statistics;
  double score = 0;
  std::string details;
  std::vector<double> samples;

  Counted(metrics::CorpusMetric& metric, const Sentences& hypotheses, const std::vector<Sentences>& references)
      : statistics(metrics::count_corpus(metric, hypotheses, references)) {
    const auto sums = statistics.sums();
    score = metric.score(sums);
    details = metric.details(sums);
  }
};

struct Result {
  std::string name, signature;
  std::optional<Counted> system, baseline;

  double p_value() const {
    return metrics::paired_p_value(system->samples, baseline->samples, std::abs(system->score - baseline->score));
  }
};

/// All systems and metrics see the same samples, so they are drawn once.
void resample(const std::vector<std::unique_ptr<metrics::CorpusMetric>>& metrics, std::vector<Result>& results,
              const metrics::Resampling& resampling) {
  std::vector<metrics::CountedSystem> systems;
  std::vector<Counted*> counted;
  for (size_t i = 0; i < results.size(); ++i) {
    for (auto* system : {&results[i].system, &results[i].baseline}) {
      if (!system->has_value()) continue;
      systems.push_back({metrics[i].get(), &(*system)->statistics});
      counted.push_back(&**system);
    }
  }
  auto scores = metrics::resampled_scores(systems, resampling);
  for (size_t i = 0; i < counted.size(); ++i) counted[i]->samples = std::move(scores[i]);
}

/// "74.34 (μ = 74.29 ± 3.77)"
std::string with_interval(const Counted& system) {
  if (system.samples.empty()) return fmt::format("{:.2f}", system.score);
  const auto interval = metrics::confidence(system.samples);
  return fmt::format("{:.2f} (μ = {:.2f} ± {:.2f})", system.score, interval.mean, interval.half_width);
}

void print_lines(const std::vector<Result>& results) {
  for (const Result& result : results) {
    fmt::print("{}|{} = {}{}\n", result.name, result.signature, with_interval(*result.system), result.system->details);
    if (!result.baseline) continue;
    fmt::print("  baseline = {}, difference {:+.2f}", with_interval(*result.baseline),
               result.system->score - result.baseline->score);
    if (!result.baseline->samples.empty()) fmt::print(", p = {:.4f}", result.p_value());
    fmt::print("\n");
  }
}

nlohmann::ordered_json json_of(const Counted& system) {
  nlohmann::ordered_json json = {{"score", system.score}};
  if (!system.details.empty()) json["verbose_score"] = trim(system.details);
  if (!system.samples.empty()) {
    const auto interval = metrics::confidence(system.samples);
    json["confidence_mean"] = interval.mean;
    json["confidence_half_width"] = interval.half_width;
  }
  return json;
}

nlohmann::ordered_json json_of(const Result& result) {
  nlohmann::ordered_json json = {{"name", result.name}, {"signature", result.signature}};
  json.update(json_of(*result.system));
  if (result.baseline) json["baseline"] = json_of(*result.baseline);
  if (result.baseline && !result.baseline->samples.empty()) json["p_value"] = result.p_value();
  return json;
}

}  // namespace

ExitCode score_translations(const TranslationFiles& files, TranslationScores wanted, const CommonFlags& common) {
  std::vector<std::unique_ptr<metrics::CorpusMetric>> metrics;
  for (const std::string& name : wanted.metrics)
    metrics.push_back(metrics::translation_metrics().at(name)(wanted.scoring));
  const Texts texts = read_texts(files);
  const auto resampling = wanted.resampling.samples > 0 ? std::optional(wanted.resampling) : std::nullopt;
  std::vector<Result> results(metrics.size());
  for (size_t i = 0; i < metrics.size(); ++i) {
    results[i].name = metrics[i]->name();
    results[i].signature = metrics[i]->signature(texts.references.size(), resampling);
    results[i].system.emplace(*metrics[i], texts.hypotheses, texts.references);
    if (!files.baseline.empty()) results[i].baseline.emplace(*metrics[i], texts.baseline, texts.references);
  }
  if (resampling) resample(metrics, results, *resampling);
  if (!common.json) {
    print_lines(results);
  } else {
    nlohmann::ordered_json scores = nlohmann::ordered_json::array();
    for (const Result& result : results) scores.push_back(json_of(result));
    fmt::print("{}\n", nlohmann::ordered_json({{"sentences", texts.hypotheses.size()}, {"scores", scores}}).dump(2));
  }
  return ExitCode::kDone;
}

}  // namespace sst::app
