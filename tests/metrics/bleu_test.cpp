#include "metrics/bleu.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/text.hpp"
#include "metrics/bootstrap.hpp"
#include "metrics/chrf.hpp"
#include "metrics/multi_bleu.hpp"
#include "metrics/numpy_generator.hpp"
#include "tests/support/catch.hpp"

using namespace sst::metrics;

namespace {

using Sentences = std::vector<std::string>;

/// Thirty references and two systems with an error in every sentence.
struct MadeSystems {
  Sentences first, second;
  std::vector<Sentences> references = {{}};

  MadeSystems() {
    for (int i = 0; i < 30; ++i) {
      const std::string last(static_cast<size_t>(i % 5 + 1), "xyz"[i % 3]);
      const Sentences words = {"the", "cat",  "sat", "on", "the", "mat", "number", std::to_string(i),
                               ",",   "with", last,  "."};
      references[0].push_back(sst::join(words, " "));
      first.push_back(edited(words, i, 1));
      second.push_back(edited(words, i, 0));
    }
  }

  static std::string edited(Sentences words, int i, int kind) {
    const auto at = static_cast<size_t>(i * 7 + kind) % words.size();
    if (kind == 1) {
      words[at] = "und";
    } else {
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (i % 3 == kind) std::swap(words[0], words[1]);
    return sst::join(words, " ");
  }
};

// sacreBLEU sums and divides samples in float32, its scores of samples are rounded to six digits.
constexpr double kFloat32 = 1e-4;

}  // namespace

TEST_CASE("BLEU by hand: clipped counts, the closest reference, the brevity penalty", "[metrics]") {
  Bleu bleu({.tokenizer = BleuTokenizer::kNone, .max_order = 2});
  const auto score =
      bleu.evaluate(count_corpus(bleu, Sentences{"a a b"}, std::vector<Sentences>{{"a b c d e"}, {"b a b c"}}).sums());
  CHECK(score.matches == std::vector<double>{2, 1});  // a once, b once; "a b"
  CHECK(score.totals == std::vector<double>{3, 2});
  CHECK(score.reference_words == 4);
  CHECK(score.brevity_penalty == Approx(std::exp(1 - 4.0 / 3)));
  CHECK(score.score == Approx(100 * std::exp(1 - 4.0 / 3) * std::sqrt(2.0 / 3 * 1.0 / 2)));
}

TEST_CASE("matches are exact however many sentences went before", "[metrics]") {
  NgramMatches matches(3);
  for (int round = 0; round < 1000; ++round) {
    const std::vector<uint32_t> hypothesis = {1, 2, 1, 2, 3}, reference = {1, 2, 1, 9, kUnknownWord, 2, 3};
    matches.set_hypothesis(hypothesis);
    matches.add_reference(reference);
    CHECK(matches.matches() == std::vector<int32_t>{5, 3, 1});
    matches.add_reference(reference);
    CHECK(matches.matches() == std::vector<int32_t>{5, 3, 1});
    matches.forget_references();
    matches.add_reference(std::vector<uint32_t>{2, 2, 2});
    CHECK(matches.matches() == std::vector<int32_t>{2, 0, 0});
  }
}

TEST_CASE("unequal numbers of sentences, no reference and malformed text are errors that say where", "[metrics]") {
  Bleu bleu;
  CHECK_THROWS_WITH(count_corpus(bleu, Sentences{"a"}, std::vector<Sentences>{{"a"}, {"a", "b"}}),
                    ContainsSubstring("there are 1 hypotheses and 2 sentences in reference 2"));
  CHECK_THROWS_WITH(count_corpus(bleu, Sentences{"a"}, {}), ContainsSubstring("no reference"));
  CHECK_THROWS_WITH(count_corpus(bleu, Sentences{"a", "b\xFF"}, std::vector<Sentences>{{"a", "b"}}),
                    ContainsSubstring("hypothesis 2: byte 1 (0xff)"));
  CHECK_THROWS_WITH(bleu_tokenizers().at("14a"), ContainsSubstring("unknown tokenizer of BLEU '14a'"));
}

TEST_CASE("a corpus without sentences scores 0", "[metrics]") {
  Bleu bleu;
  Chrf chrf;
  CHECK(corpus_score(bleu, Sentences{}, std::vector<Sentences>{{}}) == 0);
  CHECK(corpus_score(chrf, Sentences{}, std::vector<Sentences>{{}}) == 0);
  MultiBleu multi;
  CHECK(multi.line(std::vector<int64_t>(10, 0)) == "BLEU = 0, 0/0/0/0 (BP=0, ratio=0, hyp_len=0, ref_len=0)");
}

TEST_CASE("the generator is NumPy's default_rng", "[metrics]") {
  const auto draws = [](uint64_t seed, uint32_t bound, int count) {
    NumpyGenerator generator(seed);
    std::vector<uint32_t> drawn;
    while (count-- > 0) drawn.push_back(generator.below(bound));
    return drawn;
  };
  CHECK(draws(12345, 100, 12) == std::vector<uint32_t>{69, 22, 78, 31, 20, 79, 64, 67, 98, 39, 83, 33});
  CHECK(draws(12345, 7, 10) == std::vector<uint32_t>{4, 1, 5, 2, 1, 5, 4, 4, 6, 2});
  CHECK(draws((uint64_t{1} << 40) + 7, 3000000000, 4) ==
        std::vector<uint32_t>{2489438675, 1828512392, 765915474, 51031264});
  CHECK(draws(12345, 1, 2) == std::vector<uint32_t>{0, 0});
}

TEST_CASE("intervals and the paired test are sacreBLEU's, sample by sample", "[metrics]") {
  const MadeSystems made;
  Bleu bleu;
  Chrf chrf({.word_order = 2});
  const Resampling resampling{.samples = 200};
  const auto bleu_first = count_corpus(bleu, made.first, made.references);
  const auto bleu_second = count_corpus(bleu, made.second, made.references);
  const auto chrf_first = count_corpus(chrf, made.first, made.references);
  const auto chrf_second = count_corpus(chrf, made.second, made.references);
  const std::vector<CountedSystem> systems = {
      {&bleu, &bleu_first}, {&bleu, &bleu_second}, {&chrf, &chrf_first}, {&chrf, &chrf_second}};
  const auto scores = resampled_scores(systems, resampling);

  // sacrebleu 2.6.0, PairedTest([second, first], test_type="bs", n_samples=200)
  CHECK(bleu.score(bleu_first.sums()) == Approx(74.33822903571276));
  CHECK(bleu.score(bleu_second.sums()) == Approx(74.98035035659903));
  CHECK(confidence(scores[0]).mean == Approx(74.28945906389295).margin(kFloat32));
  CHECK(confidence(scores[0]).half_width == Approx(3.769025232519894).margin(kFloat32));
  CHECK(confidence(scores[1]).mean == Approx(75.22768133040329).margin(kFloat32));
  CHECK(confidence(scores[1]).half_width == Approx(2.845173310096122).margin(kFloat32));
  CHECK(paired_p_value(scores[0], scores[1], std::abs(74.33822903571276 - 74.98035035659903)) ==
        Approx(0.25870646766169153));
  CHECK(confidence(scores[3]).mean == Approx(84.23027).margin(kFloat32));
  CHECK(confidence(scores[2]).half_width == Approx(2.0106583).margin(kFloat32));
  CHECK(paired_p_value(scores[2], scores[3], std::abs(82.17115148189718 - 84.06866404120986)) ==
        Approx(0.12437810945273632));
  CHECK(bleu.signature(1, resampling) ==
        "nrefs:1|bs:200|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
}
