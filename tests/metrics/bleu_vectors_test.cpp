#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "metrics/bleu.hpp"
#include "metrics/chrf.hpp"
#include "metrics/multi_bleu.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/shared_files.hpp"

using namespace sst::metrics;

namespace {

constexpr double kScoreTolerance = 1e-6;

std::optional<nlohmann::json> bleu_vectors(const std::string& part) {
  const auto path = sst::testing::shared_file("spec/bleu_vectors.json");
  if (!path) return std::nullopt;
  static const nlohmann::json file = nlohmann::json::parse(std::ifstream(*path));
  return file.at(part);
}

using Texts = std::vector<std::string>;

std::vector<int64_t> sums_of(CorpusMetric& metric, const nlohmann::json& entry) {
  return count_corpus(metric, entry.at("hyps").get<Texts>(), entry.at("refs").get<std::vector<Texts>>()).sums();
}

BleuOptions bleu_options(const nlohmann::json& options) {
  BleuOptions read{.tokenizer = bleu_tokenizers().at(options.at("tokenize")),
                   .lowercase = options.at("lowercase"),
                   .smoothing = smoothings().at(options.at("smooth_method")),
                   .effective_order = options.at("effective_order"),
                   .max_order = options.at("max_ngram_order")};
  if (!options.at("smooth_value").is_null()) read.smooth_value = options.at("smooth_value").get<double>();
  return read;
}

void check_numbers(const std::vector<double>& ours, const nlohmann::json& expected) {
  REQUIRE(ours.size() == expected.size());
  for (size_t i = 0; i < ours.size(); ++i)
    CHECK(ours[i] == Approx(expected[i].get<double>()).margin(kScoreTolerance).epsilon(0));
}

}  // namespace

TEST_CASE("BLEU, its parts and its signature are sacreBLEU's", "[metrics]") {
  const auto cases = bleu_vectors("bleu");
  if (!cases) return;
  for (const auto& entry : *cases) {
    INFO(entry.at("id"));
    Bleu bleu(bleu_options(entry.at("options")));
    const auto& expected = entry.at("expected");
    const auto sums = sums_of(bleu, entry);
    const BleuScore score = bleu.evaluate(sums);
    CHECK(score.score == Approx(expected.at("score").get<double>()).margin(kScoreTolerance).epsilon(0));
    CHECK(score.brevity_penalty == Approx(expected.at("bp").get<double>()).margin(kScoreTolerance).epsilon(0));
    check_numbers(score.precisions, expected.at("precisions"));
    check_numbers(score.matches, expected.at("counts"));
    check_numbers(score.totals, expected.at("totals"));
    CHECK(score.hypothesis_words == expected.at("sys_len"));
    CHECK(score.reference_words == expected.at("ref_len"));
    CHECK(bleu.signature(entry.at("refs").size()) == expected.at("signature"));
    if (expected.contains("format"))
      CHECK("BLEU = " + fmt::format("{:.2f}", score.score) + bleu.details(sums) == expected.at("format"));
  }
}

TEST_CASE("chrF2 and chrF2++ and their signatures are sacreBLEU's", "[metrics]") {
  const auto cases = bleu_vectors("chrf");
  if (!cases) return;
  for (const auto& entry : *cases) {
    INFO(entry.at("id"));
    const auto& options = entry.at("options");
    Chrf chrf({.char_order = options.at("char_order"),
               .word_order = options.at("word_order"),
               .beta = options.at("beta"),
               .lowercase = options.at("lowercase"),
               .whitespace = options.at("whitespace"),
               .eps_smoothing = options.at("eps_smoothing")});
    const auto& expected = entry.at("expected");
    CHECK(chrf.score(sums_of(chrf, entry)) ==
          Approx(expected.at("score").get<double>()).margin(kScoreTolerance).epsilon(0));
    CHECK(chrf.signature(entry.at("refs").size()) == expected.at("signature"));
    CHECK(chrf.name() == expected.at("name"));
  }
}

TEST_CASE("the tokenizers 13a, intl and char give sacreBLEU's words", "[metrics]") {
  const auto cases = bleu_vectors("tokenizers");
  if (!cases) return;
  for (const auto& entry : *cases) {
    INFO(entry.at("tokenizer") << " " << entry.at("input"));
    CHECK(tokenized(bleu_tokenizers().at(entry.at("tokenizer")), entry.at("input").get<std::string>()) ==
          entry.at("output"));
  }
}

TEST_CASE("the classic scripts' lines come out as Perl prints them", "[metrics]") {
  const auto cases = bleu_vectors("multi_bleu");
  if (!cases) return;
  for (const auto& entry : *cases) {
    INFO(entry.at("id"));
    MultiBleu metric({.detokenized = entry.at("script") == "multi-bleu-detok", .lowercase = entry.at("lowercase")});
    CHECK(metric.line(sums_of(metric, entry)) == entry.at("output"));
  }
}
