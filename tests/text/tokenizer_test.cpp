#include "text/tokenizer.hpp"

#include <iterator>
#include <limits>
#include <set>
#include <sstream>

#include "core/error.hpp"
#include "core/text.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/text/text_vectors.hpp"
#include "text/bytes.hpp"
#include "text/characters.hpp"
#include "text/whitespace.hpp"

using namespace sst::text;
using namespace sst::testing;
using sst::UserError;

namespace {

const std::string kText = "To be, or not to be:\nça va \U0001F600.";

Characters characters_of(std::string_view text) {
  std::set<char32_t> seen;
  collect_characters(text, seen);
  return Characters(seen);
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), {}};
}

TokenizerOptions of_type(const std::string& type, std::optional<std::string> model = std::nullopt) {
  TokenizerOptions options;
  options.type = type;
  if (model) options.model = sst::recipe::Path{*model};
  return options;
}

}  // namespace

TEST_CASE("bytes are their own ids, and 256 stands for nothing", "[text]") {
  const Bytes tokenizer;
  CHECK(tokenizer.size() == 257);
  CHECK(tokenizer.separator() == 256);
  CHECK(encoded(tokenizer, "a\xC3\xA9") == Ids{97, 0xC3, 0xA9});
  CHECK(tokenizer.decode(encoded(tokenizer, kText)) == kText);
  CHECK(tokenizer.decode(Ids{97, 256, 0xC3}) == "a\xC3");
  CHECK_THROWS_AS(tokenizer.decode(Ids{257}), sst::DataError);
  CHECK_THROWS_AS(encoded(tokenizer, "\xC3"), sst::DataError);
}

TEST_CASE("characters are numbered by code point and come back from their file", "[text]") {
  const TemporaryFolder folder;
  const Characters tokenizer = characters_of(kText);
  CHECK(encoded(characters_of("hello"), "hole") == Ids{1, 3, 2, 0});
  CHECK(tokenizer.separator() == std::nullopt);
  CHECK(tokenizer.decode(encoded(tokenizer, kText)) == kText);
  tokenizer.save(folder / "characters.json");
  const Characters again(folder / "characters.json");
  CHECK(encoded(again, kText) == encoded(tokenizer, kText));
  CHECK(again.size() == tokenizer.size());
  CHECK(again.sha256() == tokenizer.sha256());
  CHECK(again.sha256() != characters_of("hello").sha256());
  CHECK_THROWS_AS(tokenizer.decode(Ids{-1}), sst::DataError);
}

TEST_CASE("a character that training did not know is named with its place", "[text]") {
  const Characters tokenizer = characters_of("abc");
  CHECK_THAT(data_error([&] { encoded(tokenizer, "abé"); }), ContainsSubstring("'é' U+00E9 at byte 2"));
  CHECK_THAT(data_error([&] { encoded(tokenizer, "a\n"); }), ContainsSubstring("character U+000A at byte 1"));
  CHECK_THAT(data_error([&] { encoded(tokenizer, "\U0010FFFF"); }), ContainsSubstring("U+10FFFF"));
}

TEST_CASE("a bad file of characters is refused with its path", "[text]") {
  const TemporaryFolder folder;
  const auto path = folder / "characters.json";
  CHECK_THAT(data_error([&] { Characters{path}; }), ContainsSubstring("characters.json"));
  for (const std::string bytes : {"[]", "{}", R"({"characters": 1})", R"({"characters": "a", "more": 1})"}) {
    write_text(path, bytes);
    CHECK_THAT(data_error([&] { Characters{path}; }), ContainsSubstring("characters.json: expected"));
  }
  write_text(path, R"({"characters": ""})");
  CHECK_THAT(data_error([&] { Characters{path}; }), ContainsSubstring("no characters"));
  write_text(path, R"({"characters": "aba"})");
  CHECK_THAT(data_error([&] { Characters{path}; }), ContainsSubstring("'a' U+0061 stands there twice"));
  write_text(path, "{\n\"characters\" \"a\"}");
  CHECK_THAT(data_error([&] { Characters{path}; }), ContainsSubstring("characters.json:2:"));
}

TEST_CASE("cut text is looked up token by token and joined again", "[text]") {
  const TemporaryFolder folder;
  write_text(folder / "vocab", "<unk>\n</s>\nei@@\nn\nmann\n.\nunt@@\n@@\n");
  const Whitespace tokenizer(folder / "vocab");
  CHECK(tokenizer.size() == 8);
  CHECK(tokenizer.separator() == 1);
  CHECK(tokenizer.id_of("mann") == 4);
  CHECK(encoded(tokenizer, " ei@@ n\tmann\u00A0frau  .\n") == Ids{2, 3, 4, 0, 5});
  CHECK(encoded(tokenizer, " \n").empty());
  CHECK(tokenizer.decode(Ids{2, 3, 4, 5}) == "ein mann .");
  CHECK(tokenizer.decode(Ids{4, 6}) == "mann unt");
  CHECK(tokenizer.decode(Ids{4, 7, 4}) == "mann mann");
  CHECK(tokenizer.decode(Ids{}) == "");
}

TEST_CASE("cut text decodes as subword-nmt's rule says", "[text]") {
  const auto vectors = text_vectors("mt_text_vectors.json");
  if (!vectors) return;
  const TemporaryFolder folder;
  for (const auto& entry : vectors->at("bpe").at("apply")) {
    const std::string output = entry.at("output");
    std::string vocabulary;
    for (const std::string& word : words_of(output))
      if (vocabulary.find(word + "\n") != 0 && vocabulary.find("\n" + word + "\n") == std::string::npos)
        vocabulary += word + "\n";
    if (vocabulary.empty()) continue;
    write_text(folder / "vocab", vocabulary);
    const Whitespace tokenizer(folder / "vocab");
    CHECK(tokenizer.decode(encoded(tokenizer, output)) == sst::join(words_of(entry.at("input")), " "));
  }
}

TEST_CASE("a bad vocabulary of tokens is refused with file and line", "[text]") {
  const TemporaryFolder folder;
  const auto error_of = [&](const std::string& bytes) {
    write_text(folder / "vocab", bytes);
    return data_error([&] { Whitespace{folder / "vocab"}; });
  };
  CHECK_THAT(error_of(""), ContainsSubstring("vocab: there are no tokens"));
  CHECK_THAT(error_of("a\n\nb\n"), ContainsSubstring("vocab:2: expected one token"));
  CHECK_THAT(error_of("a\nb 5\n"), ContainsSubstring("vocab:2: expected one token"));
  CHECK_THAT(error_of("a\nb\na\n"), ContainsSubstring("vocab:3: the token 'a' stands on an earlier line too"));
  CHECK_THAT(error_of("a\nb\xFF\n"), ContainsSubstring("vocab:2: byte 1 is not UTF-8"));
  write_text(folder / "vocab", "a\n");
  const Whitespace tokenizer(folder / "vocab");
  CHECK(tokenizer.separator() == std::nullopt);
  CHECK_THAT(data_error([&] { encoded(tokenizer, "a b"); }), ContainsSubstring("'b' is not in the vocabulary"));
}

TEST_CASE("the options choose the tokenizer, its file and the model's vocabulary", "[text]") {
  const TemporaryFolder folder;
  write_text(folder / "vocab", "<unk>\na\nb\n");
  characters_of("abc").save(folder / "characters.json");
  const auto words = make_tokenizer(of_type("whitespace", "vocab"), folder.path());
  CHECK(words->size() == 3);
  CHECK(padded_vocabulary(*words, of_type("whitespace")) == 8);
  const auto letters = make_tokenizer(of_type("characters", (folder / "characters.json").string()), "/elsewhere");
  CHECK(padded_vocabulary(*letters, of_type("characters")) == 3);
  const auto bytes = make_tokenizer(of_type("bytes"), folder.path());
  CHECK(padded_vocabulary(*bytes, of_type("bytes")) == 257);
  TokenizerOptions padded = of_type("bytes");
  padded.pad_vocab_to = 128;
  CHECK(padded_vocabulary(*bytes, padded) == 384);
  padded.pad_vocab_to = std::numeric_limits<int64_t>::max();
  CHECK(padded_vocabulary(*bytes, padded) == std::numeric_limits<int64_t>::max());

  CHECK_THROWS_AS(make_tokenizer(of_type("bytes", "vocab"), folder.path()), UserError);
  for (const std::string type : {"whitespace", "characters", "gpt2_bpe", "sentencepiece"}) {
    CHECK_THROWS_AS(make_tokenizer(of_type(type), folder.path()), UserError);
    CHECK_THROWS_AS(make_tokenizer(of_type(type, "nothing_here"), folder.path()), sst::DataError);
  }
}
