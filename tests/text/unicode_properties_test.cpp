#include "text/unicode_properties.hpp"

#include "tests/support/catch.hpp"

using namespace sst::text;

TEST_CASE("lower case is Python's: full mapping, and a sigma that ends a word", "[text]") {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"", ""},
      {"Hello WORLD 1", "hello world 1"},
      {"ÄÖÜ ẞ ǅ Ⅷ", "äöü ß ǆ ⅷ"},
      {"İI", "i\u0307i"},
      {"ΟΔΟΣ", "οδος"},
      {"ΟΔΟΣ.", "οδος."},
      {"ΑΣ ΣΑ Σ", "ας σα σ"},
      {"Α.Σ", "α.ς"},
      {"ΑΣ'Α", "ασ'α"},
      {"Σ\u0384Σ", "σ\u0384ς"},
      {"A\u0345Σ", "a\u0345ς"},
      {"AΣ\u0301B", "aσ\u0301b"},
      {"\U00010400\U00010D50", "\U00010428\U00010D70"},
  };
  for (const auto& [text, lower] : cases) CHECK(to_lower(text) == lower);
}

TEST_CASE("words and trailing space follow Python's idea of white space", "[text]") {
  std::vector<std::string> words;
  each_word(
      "\u00A0a\x1C"
      "b\u3000\u2003c\u200Bd\u0085",
      [&](std::string_view word) { words.emplace_back(word); });
  CHECK(words == std::vector<std::string>{"a", "b", "c\u200Bd"});
  CHECK(without_trailing_space("a b\u3000\x1F\n ") == "a b");
  CHECK(without_trailing_space(" \u00A0").empty());
  CHECK(without_trailing_space("é") == "é");
}

TEST_CASE("punctuation, symbols and numbers are Unicode's", "[text]") {
  for (const char32_t c : {U'!', U'_', U'¿', U'—', U'„', U'\u3001'}) CHECK((is_punctuation(c) && !is_symbol(c)));
  for (const char32_t c : {U'$', U'+', U'^', U'€', U'©', U'\U0001F600'}) CHECK((is_symbol(c) && !is_punctuation(c)));
  for (const char32_t c : {U'5', U'²', U'Ⅷ', U'½'}) CHECK(is_number(c));
  for (const char32_t c : {U'a', U' ', U'é'}) CHECK_FALSE((is_symbol(c) || is_punctuation(c) || is_number(c)));
}
