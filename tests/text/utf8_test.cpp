#include "text/utf8.hpp"

#include "tests/support/catch.hpp"
#include "tests/text/text_vectors.hpp"

using namespace sst::text;
using namespace sst::testing;

TEST_CASE("a code point survives the way to UTF-8 and back at every border of length", "[text]") {
  for (const char32_t code_point :
       {0x0u, 0x7Fu, 0x80u, 0x7FFu, 0x800u, 0xD7FFu, 0xE000u, 0xFFFFu, 0x10000u, 0x10FFFFu}) {
    std::string text;
    append_utf8(code_point, text);
    const Utf8Step step = utf8_step(text, 0);
    CHECK(step.valid);
    CHECK(step.code_point == code_point);
    CHECK(step.bytes == text.size());
    const char* at = text.data();
    CHECK(next_code_point(at) == code_point);
    CHECK(at == text.data() + text.size());
    CHECK_FALSE(first_malformed(text));
  }
}

TEST_CASE("the first malformed byte is found wherever it stands", "[text]") {
  for (const char* bad : {"80", "c0af", "c1bf", "eda080", "e08080", "f08080", "f4908080", "f5", "ff", "c3", "e4bd"}) {
    for (const size_t before : {0u, 1u, 7u, 8u, 9u, 40u}) {
      CHECK(first_malformed(std::string(before, 'a') + from_hex(bad)) == before);
      CHECK(first_malformed("\xC3\xA9" + std::string(before, 'a') + from_hex(bad) + "tail") == before + 2);
    }
  }
  CHECK_THAT(data_error([] { require_utf8("ab\xFF"); }), ContainsSubstring("byte 2 is 0xff"));
}

TEST_CASE("each maximal malformed subpart becomes one U+FFFD", "[text]") {
  const auto vectors = text_vectors("gpt2_bpe_vectors.json");
  if (!vectors) return;
  for (const auto& entry : vectors->at("encode_bytes")) {
    INFO(entry.at("name"));
    CHECK(replace_malformed(from_hex(entry.at("bytes_hex"))) == from_hex(entry.at("replaced_utf8_hex")));
  }
  for (const auto& entry : vectors->at("decode"))
    CHECK(replace_malformed(from_hex(entry.at("bytes_hex"))) == from_hex(entry.at("replaced_utf8_hex")));
}
