#include "text/sentencepiece.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/seeds.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/text/text_vectors.hpp"
#include "text/line_reader.hpp"
#include "text/sentencepiece_training.hpp"

using namespace sst::text;
using namespace sst::testing;
using sst::UserError;

namespace {

/// Sentences of made words, some of them frequent.
NextSentence made_sentences(int count) {
  const auto rng = std::make_shared<sst::CounterRng>(1, sst::Stream::kData);
  const auto left = std::make_shared<int>(count);
  return [rng, left](std::string& sentence) {
    sentence.clear();
    for (uint64_t words = 3 + rng->below(8); words > 0; --words) {
      const uint64_t word = rng->below(1 + rng->below(60));
      sentence +=
          std::string(sentence.empty() ? "" : " ") + "bcdfg"[word % 5] + "aeiou"[word / 5 % 5] + "lmnrs"[word % 4];
      if (word % 3 == 0) sentence += "ung";
    }
    return (*left)-- > 0;
  };
}

TokenizerOptions trained(const std::string& algorithm, int64_t pieces) {
  TokenizerOptions options;
  options.type = "sentencepiece";
  options.algorithm = algorithm;
  options.vocab_size = pieces;
  return options;
}

}  // namespace

TEST_CASE("every SentencePiece vector comes out for all four models", "[text]") {
  const auto vectors = text_vectors("sentencepiece_vectors.json");
  if (!vectors) return;
  const std::pair<std::string, std::string> models[] = {{"unigram_8k", "spm_unigram_8k"},
                                                        {"bpe_8k", "spm_bpe_8k"},
                                                        {"t5", "t5/spiece.model"},
                                                        {"mistral_v1", "mistral_v1/tokenizer.model"}};
  for (const auto& [name, file] : models) {
    const auto path = shared_file("data/tokenizers/" + file);
    if (!path) continue;
    const SentencePiece tokenizer(*path);
    const auto& facts = vectors->at("models").at(name);
    CHECK(tokenizer.size() == facts.at("pieces"));
    CHECK(tokenizer.separator() == facts.at("eos").get<int32_t>());
    CHECK(tokenizer.begin().value_or(-1) == facts.at("bos"));
    CHECK(tokenizer.padding().value_or(-1) == facts.at("pad"));
    for (const auto& entry : vectors->at("encode")) {
      INFO(name << " " << entry.at("name"));
      const auto& expected = entry.at(name);
      const std::string text = from_hex(entry.at("utf8_hex"));
      CHECK(encoded(tokenizer, text) == expected.at("ids").get<Ids>());
      CHECK(tokenizer.decode(expected.at("ids").get<Ids>()) == expected.at("decoded").get<std::string>());
    }
    CHECK_THROWS_AS(tokenizer.decode(Ids{static_cast<int32_t>(tokenizer.size())}), sst::DataError);
    CHECK_THROWS_AS(tokenizer.decode(Ids{-1}), sst::DataError);
    CHECK_THROWS_AS(encoded(tokenizer, "caf\xE9"), sst::DataError);
  }
}

TEST_CASE("a drawn segmentation reads the same, is the best one at the limit, and follows from the generator",
          "[text]") {
  const auto vectors = text_vectors("sentencepiece_vectors.json");
  if (!vectors) return;
  // The limit: no merge is left out; or every other way is improbable.
  for (const auto& [name, limit] : {std::pair{"spm_bpe_8k", 1e-300}, {"mistral_v1", 1e-300}, {"spm_unigram_8k", 1e4}}) {
    const auto path = shared_file(std::string("data/tokenizers/") + name);
    if (!path) continue;
    const SentencePiece tokenizer(*path);
    const auto drawn = [&](const std::string& text, double alpha, uint64_t seed) {
      sst::CounterRng rng(seed, sst::Stream::kDataOrder);
      Ids ids;
      tokenizer.encode_sampled(text, alpha, rng, ids);
      return ids;
    };
    size_t differing = 0;
    for (const auto& entry : vectors->at("encode")) {
      const std::string text = from_hex(entry.at("utf8_hex"));
      INFO(name << " " << entry.at("name"));
      const Ids best = encoded(tokenizer, text);
      CHECK(drawn(text, limit, 1) == best);
      CHECK(drawn(text, 0, 1) == best);
      CHECK(tokenizer.decode(drawn(text, 0.2, 1)) == tokenizer.decode(best));
      CHECK(drawn(text, 0.2, 1) == drawn(text, 0.2, 1));
      differing += drawn(text, 0.2, 1) != drawn(text, 0.2, 2);
    }
    CHECK(differing > vectors->at("encode").size() / 4);  // many of the texts are short
  }
}

TEST_CASE("unigram segmentations are drawn in proportion to probability to the power alpha", "[text]") {
  SegmentationSampler sampler;
  const double score_a = -1, score_b = -1.5, score_ab = -3, alpha = 0.5;
  sampler.add("a", {0, static_cast<float>(score_a)});
  sampler.add("b", {1, static_cast<float>(score_b)});
  sampler.add("ab", {2, static_cast<float>(score_ab)});
  sst::CounterRng rng(4, sst::Stream::kDataOrder);
  constexpr int kDraws = 20000;
  int whole = 0;
  for (int i = 0; i < kDraws; ++i) whole += sampler.draw("ab", alpha, rng).size() == 1;
  const double expected = 1 / (1 + std::exp(alpha * (score_a + score_b - score_ab)));
  CHECK(whole == Approx(kDraws * expected).margin(4 * std::sqrt(kDraws * expected * (1 - expected))));
}

TEST_CASE("what is no SentencePiece model is refused with its path", "[text]") {
  const TemporaryFolder folder;
  CHECK_THAT(data_error([&] { SentencePiece{folder / "none.model"}; }), ContainsSubstring("none.model"));
  CHECK_THAT(data_error([&] { SentencePiece{folder.path()}; }), ContainsSubstring("no SentencePiece model"));
  for (const std::string bytes : {"", "garbage", "\x0A\xFF\xFF\xFF\xFF\x0F"}) {
    write_text(folder / "a.model", bytes);
    CHECK_THAT(data_error([&] { SentencePiece{folder.path()}; }),
               ContainsSubstring("a.model: this is not a SentencePiece model"));
  }
  write_text(folder / "b.model", "");
  CHECK_THAT(data_error([&] { SentencePiece{folder.path()}; }), ContainsSubstring("several models"));
}

TEST_CASE("a model of either algorithm is trained to the same bytes twice, and reads what it learnt from", "[text]") {
  const TemporaryFolder folder;
  for (const std::string algorithm : {"bpe", "unigram"}) {
    const TokenizerOptions options = trained(algorithm, 60);
    train_sentencepiece(options, made_sentences(500), folder / "a.model");
    train_sentencepiece(options, made_sentences(500), folder / "b.model");
    CHECK(sst::read_file(folder / "a.model") == sst::read_file(folder / "b.model"));
    const SentencePiece tokenizer(folder / "a.model");
    CHECK(tokenizer.size() == 60);
    CHECK(tokenizer.separator() == 2);
    CHECK(tokenizer.begin() == 1);
    CHECK(tokenizer.padding() == 3);
    const NextSentence sentences = made_sentences(20);
    for (std::string sentence; sentences(sentence);) CHECK(tokenizer.decode(encoded(tokenizer, sentence)) == sentence);
  }
}

TEST_CASE("training says what is wrong and leaves no file", "[text]") {
  const TemporaryFolder folder;
  const auto path = folder / "a.model";
  CHECK_THROWS_AS(train_sentencepiece({}, made_sentences(10), path), UserError);
  CHECK_THROWS_WITH(train_sentencepiece(trained("bpe", 8000), made_sentences(10), path),
                    ContainsSubstring("8000 pieces"));
  CHECK_THROWS_WITH(train_sentencepiece(trained("bpe", 3), made_sentences(10), path), ContainsSubstring("3 pieces"));
  CHECK_THROWS_WITH(train_sentencepiece(
                        trained("unigram", 60), [](std::string&) { return false; }, path),
                    ContainsSubstring("60 pieces"));
  int count = 0;
  const NextSentence one_bad = [&](std::string& sentence) { return sentence = "ab\xFF", ++count < 3; };
  CHECK_THAT(data_error([&] { train_sentencepiece(trained("bpe", 60), one_bad, path); }),
             ContainsSubstring("sentence 1: the text is not UTF-8: byte 2"));
  CHECK_THAT(data_error([&] { train_sentencepiece(trained("bpe", 60), lines_of({folder / "none.txt"}), path); }),
             ContainsSubstring("none.txt"));
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("lines of several files follow each other, empty ones too", "[text]") {
  const TemporaryFolder folder;
  write_text(folder / "a", "one\n\ntwo");
  write_text(folder / "b", "");
  write_text(folder / "c", "three\n");
  std::vector<std::string> lines;
  const NextSentence next = lines_of({folder / "a", folder / "b", folder / "c"});
  for (std::string line; next(line);) lines.push_back(line);
  CHECK(lines == std::vector<std::string>{"one", "", "two", "three"});
}
