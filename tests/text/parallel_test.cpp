#include <algorithm>

#include "tests/support/archives.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/text/text_vectors.hpp"
#include "text/parallel_corpus.hpp"
#include "text/parallel_text.hpp"
#include "text/unicode_properties.hpp"
#include "text/whitespace.hpp"
#include "text/word_vocabulary.hpp"

using namespace sst::text;
using namespace sst::testing;

namespace {

/// Two small corpora, the second compressed, and a vocabulary of their words.
struct MadeCorpora {
  TemporaryFolder folder;
  ParallelFiles files;

  MadeCorpora() {
    write_text(folder / "a.de", "ein Mann\nzwei Hunde laufen schnell\n\nA\n");
    write_text(folder / "a.en", "a man\ntwo dogs\nempty\nb c d e\n");
    write_text(folder / "b.de.gz", compressed("gzip", "ja ja ja\n"));
    write_text(folder / "b.en.gz", compressed("gzip", "yes yes yes\n"));
    files = {.source = {folder / "a.de", folder / "b.de.gz"}, .target = {folder / "a.en", folder / "b.en.gz"}};
    WordCounts source, target;
    ParallelReader reader(files);
    for (SentencePair pair; reader.next(pair);) source.add(pair.source), target.add(pair.target);
    write_vocabulary(folder / "de.vocab", vocabulary_words(source, source_specials()));
    write_vocabulary(folder / "en.vocab", vocabulary_words(target, target_specials()));
  }
  ParallelCorpus read(const ParallelOptions& options) const {
    return {files, Whitespace(folder / "de.vocab"), Whitespace(folder / "en.vocab"), options};
  }
};

}  // namespace

TEST_CASE("vocabularies have torchtext's order, sizes and specials", "[text]") {
  const auto vectors = text_vectors("mt_text_vectors.json");
  if (!vectors) return;
  const auto& vocabulary = vectors->at("vocabulary");
  WordCounts counts;
  for (const auto& [word, count] : vocabulary.at("counts").items()) counts.add(word, count.get<int64_t>());
  for (const auto& entry : vocabulary.at("cases")) {
    VocabularyLimits limits{.min_frequency = entry.at("min_freq")};
    if (!entry.at("max_size").is_null()) limits.max_size = entry.at("max_size").get<int64_t>();
    CHECK(vocabulary_words(counts, entry.at("specials").get<std::vector<std::string>>(), limits) == entry.at("words"));
  }
}

TEST_CASE("joiners of subword-nmt go as they came", "[text]") {
  CHECK(without_joiners("a@@ b@@ c d@@") == "abc d");
  CHECK(without_joiners("x @@ y@@z @@") == "x y@@z ");
  const auto vectors = text_vectors("mt_text_vectors.json");
  if (!vectors) return;
  const auto words_of = [](const std::string& text) {  // apply_bpe.py makes one blank of several
    std::vector<std::string> words;
    each_word(text, [&](std::string_view word) { words.emplace_back(word); });
    return words;
  };
  for (const auto& entry : vectors->at("bpe").at("apply"))
    CHECK(words_of(without_joiners(entry.at("output").get<std::string>())) == words_of(entry.at("input")));
}

TEST_CASE("a written vocabulary is what the tokenizer reads", "[text]") {
  const MadeCorpora made;
  const Whitespace source(made.folder / "de.vocab"), target(made.folder / "en.vocab");
  CHECK(source.id_of("<blank>") == 1);
  CHECK(source.id_of("ja") == 2);  // three times
  CHECK(source.id_of("A") == 3);   // then once each, in code-point order
  CHECK(target.id_of("</s>") == 3);
  CHECK(target.id_of("yes") == 4);
  CHECK(encoded(source, "ja unseen") == Ids{2, 0});
}

TEST_CASE("corpora follow one another, pair by pair", "[text]") {
  const MadeCorpora made;
  ParallelReader reader(made.files);
  SentencePair pair;
  std::vector<std::string> places;
  while (reader.next(pair)) places.push_back(std::filesystem::path(pair.source_place).filename().string());
  CHECK(places == std::vector<std::string>{"a.de:1", "a.de:2", "a.de:3", "a.de:4", "b.de.gz:1"});
  CHECK(pair.source == "");
  REQUIRE(reader.digests().size() == 4);
  CHECK(reader.digests()[2] == sst::digest_of_file(made.folder / "b.de.gz"));
}

TEST_CASE("evaluation text keeps every line, training text is filtered with its reasons counted", "[text]") {
  const MadeCorpora made;
  const auto all = made.read({});
  CHECK(all.size() == 5);
  CHECK(all.lengths()[2] == PairLength{0, 1});
  CHECK(std::ranges::equal(all.source(4), Ids{2, 2, 2}));
  CHECK(all.digests().size() == 4);

  const auto kept = made.read({.filter = PairFilter{.max_source = 3, .max_target = 3}});
  CHECK(kept.lengths() == std::vector<PairLength>{{2, 2}, {3, 3}});
  CHECK(kept.counts().read == 5);
  CHECK(kept.counts().too_long.pairs == 2);
  CHECK_THAT(kept.counts().too_long.first, ContainsSubstring("a.de:2"));
  CHECK_THAT(kept.counts().summary(), ContainsSubstring("kept 2 of 5 pairs; dropped 1 with an empty side (first: "));

  const auto balanced = made.read({.filter = PairFilter{.max_ratio = 2}});
  CHECK(balanced.lengths() == std::vector<PairLength>{{2, 2}, {4, 2}, {3, 3}});
  CHECK(balanced.counts().ratio.pairs == 1);

  const auto cut = made.read({.filter = PairFilter{.max_source = 3, .max_target = 3, .too_long = TooLong::kTruncate}});
  CHECK(cut.lengths() == std::vector<PairLength>{{2, 2}, {3, 2}, {1, 3}, {3, 3}});
  CHECK(cut.counts().truncated.pairs == 2);

  CHECK_THAT(data_error([&] { made.read({.filter = PairFilter{.max_source = 3, .too_long = TooLong::kError}}); }),
             ContainsSubstring("a.de:2: the sentence has 4 tokens, more than the 3 allowed"));
  CHECK_THAT(data_error([&] { made.read({.filter = PairFilter{.max_source = 1, .max_target = 1}}); }),
             ContainsSubstring("no pair is left: kept 0 of 5 pairs"));
}

TEST_CASE("evaluation text that a model cannot take is an error, training text is filtered", "[text]") {
  const MadeCorpora made;
  CHECK(made.read({.longest = PairLength{4, 4}}).size() == 5);
  CHECK_THAT(data_error([&] {
               made.read({.longest = PairLength{3, 3}});
             }),
             ContainsSubstring("a.de:2: the sentence has 4 tokens, but the model takes at most 3"));
  CHECK_THAT(data_error([&] { made.read({.longest = PairLength{9, 2}}); }), ContainsSubstring("a.en:"));
}

TEST_CASE("the number of threads changes nothing in a corpus", "[text]") {
  const TemporaryFolder folder;
  std::string source, target;
  for (int i = 0; i < 20000; ++i) {
    source += "w" + std::to_string(i % 97) + " w" + std::to_string(i % 89) + "\n";
    target += "w" + std::to_string(i % 83) + "\n";
  }
  write_text(folder / "s", source);
  write_text(folder / "t", target);
  std::vector<std::string> words = source_specials();
  for (int i = 0; i < 97; ++i) words.push_back("w" + std::to_string(i));
  write_vocabulary(folder / "v", words);
  const Whitespace tokenizer(folder / "v");
  const ParallelFiles files{.source = {folder / "s"}, .target = {folder / "t"}};
  const ParallelCorpus one(files, tokenizer, tokenizer, {}), four(files, tokenizer, tokenizer, {.threads = 4});
  REQUIRE(one.size() == 20000);
  CHECK(one.lengths() == four.lengths());
  CHECK(one.digests() == four.digests());
  for (int64_t pair = 0; pair < one.size(); pair += 7) {
    CHECK(std::ranges::equal(one.source(pair), four.source(pair)));
    CHECK(std::ranges::equal(one.target(pair), four.target(pair)));
  }
}

TEST_CASE("the ratio and length filter keeps what Moses' clean-corpus keeps", "[text]") {
  const auto vectors = text_vectors("mt_text_vectors.json");
  if (!vectors) return;
  const TemporaryFolder folder;
  std::string source, target;
  int64_t kept = 0;
  for (const auto& entry : vectors->at("cleaning").at("cases")) {
    source += entry.at("source").get<std::string>() + "\n";
    target += entry.at("target").get<std::string>() + "\n";
    kept += entry.at("keep") ? 1 : 0;
  }
  write_text(folder / "s", source);
  write_text(folder / "t", target);
  write_vocabulary(folder / "v", source_specials());
  const Whitespace words(folder / "v");
  const ParallelCorpus corpus({.source = {folder / "s"}, .target = {folder / "t"}}, words, words,
                              {.filter = PairFilter{.max_source = 175, .max_target = 175, .max_ratio = 1.5}});
  CHECK(corpus.size() == kept);
}

TEST_CASE("lower case is applied before the vocabulary", "[text]") {
  const MadeCorpora made;
  CHECK(made.read({}).source(3)[0] == 3);                   // A
  CHECK(made.read({.lowercase = true}).source(3)[0] == 0);  // a is unknown
  CHECK(made.read({.lowercase = true}).source(0)[1] == 0);  // mann, too
}

TEST_CASE("what does not belong together is named with file and line", "[text]") {
  const MadeCorpora made;
  const auto read = [](const ParallelFiles& files) {
    return data_error([&] {
      ParallelReader reader(files);
      for (SentencePair pair; reader.next(pair);) continue;
    });
  };
  write_text(made.folder / "short", "one\ntwo\n");
  write_text(made.folder / "bad", "one\n\xC3\x28\n");
  write_text(made.folder / "none", "");
  const auto file = [&](const char* name) { return made.folder / name; };
  CHECK_THAT(read({.source = {file("a.de")}, .target = {file("short")}}),
             ContainsSubstring("short:2: the file ends with this line, but ") && ContainsSubstring("a.de goes on"));
  CHECK_THAT(read({.source = {file("short")}, .target = {file("bad")}}), ContainsSubstring("bad:2: byte 1"));
  CHECK_THAT(read({.source = {file("none")}, .target = {file("none")}}), ContainsSubstring("holds no line"));
  CHECK_THAT(read({.source = {file("a.de"), file("short")}, .target = {file("a.en")}}),
             ContainsSubstring("2 files of sources and 1 of targets"));
  CHECK_THAT(read({.source = {file("a.de"), file("absent")}, .target = {file("a.en"), file("short")}}),
             ContainsSubstring("absent"));
}
