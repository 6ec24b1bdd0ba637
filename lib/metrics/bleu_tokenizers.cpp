#include "metrics/bleu_tokenizers.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "text/unicode_properties.hpp"

namespace sst::metrics {
namespace {

/// Where a substitution puts spaces around the two characters it found.
struct Spaces {
  bool before, between, after;
};
constexpr Spaces kSecondAlone = {false, true, true}, kFirstAlone = {true, true, false};

/// Text that is written character by character into a place known to be large enough, which is several times faster
/// than appending to a string.
template <class Text>
class Written {
 public:
  explicit Written(size_t most) : text_(most, 0), at_(text_.data()) {}
  void put(typename Text::value_type character) { *at_++ = character; }
  void put_if(bool condition, typename Text::value_type character) {
    *at_ = character;
    at_ += condition;
  }
  Text take() {
    text_.resize(static_cast<size_t>(at_ - text_.data()));
    return std::move(text_);
  }

 private:
  Text text_;
  typename Text::value_type* at_;
};

/// s/(first)(second)/…/g: from left to right, each character used once.
template <class Text, class First, class Second>
Text split_pairs(const Text& text, Spaces spaces, const First& first, const Second& second) {
  Written<Text> split(2 * text.size() + 1);  // at most two spaces for a pair, and what put_if takes back
  for (size_t i = 0; i < text.size(); ++i) {
    if (i + 1 == text.size() || !second(text[i + 1]) || !first(text[i])) {
      split.put(text[i]);
      continue;
    }
    split.put_if(spaces.before, ' ');
    split.put(text[i]);
    split.put_if(spaces.between, ' ');
    split.put(text[++i]);
    split.put_if(spaces.after, ' ');
  }
  return split.take();
}

/// s/(alone)/ $1 /g
template <class Text, class Alone>
Text split_off(const Text& text, const Alone& alone) {
  Written<Text> split(3 * text.size() + 1);
  for (const auto character : text) {
    const bool is_alone = alone(character);
    split.put_if(is_alone, ' ');
    split.put(character);
    split.put_if(is_alone, ' ');
  }
  return split.take();
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

std::string joined_words(std::string_view text) {
  std::string joined;
  joined.reserve(text.size());
  text::each_word(text, [&](std::string_view word) {
    if (!joined.empty()) joined += ' ';
    joined += word;
  });
  return joined;
}

/// [\{-\~\[-\` -\&\(-\+\:-\@\/]: ASCII but letters, digits, controls and ' , - .
constexpr std::array<bool, 256> kAlone13a = [] {
  std::array<bool, 256> alone{};
  for (const auto& [first, last] : {std::pair{'{', '~'}, {'[', '`'}, {' ', '&'}, {'(', '+'}, {':', '@'}, {'/', '/'}})
    for (int c = first; c <= last; ++c) alone[static_cast<size_t>(c)] = true;
  return alone;
}();

/// Bytes do for characters here: all that is looked for is ASCII, and spaces never come between the bytes of one.
std::string tokenized_13a(std::string_view text) {
  std::string line = " " + std::string(text) + " ";
  replace_all(line, "<skipped>", "");
  replace_all(line, "-\n", "");
  std::replace(line.begin(), line.end(), '\n', ' ');
  if (line.find('&') != std::string::npos) {
    replace_all(line, "&quot;", "\"");
    replace_all(line, "&amp;", "&");
    replace_all(line, "&lt;", "<");
    replace_all(line, "&gt;", ">");
  }
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_no_digit = [](char c) { return c < '0' || c > '9'; };
  const auto is_mark = [](char c) { return c == '.' || c == ','; };
  line = split_off(line, [](char c) { return kAlone13a[static_cast<unsigned char>(c)]; });
  line = split_pairs(line, kSecondAlone, is_no_digit, is_mark);
  line = split_pairs(line, kFirstAlone, is_mark, is_no_digit);
  line = split_pairs(line, kSecondAlone, is_digit, [](char c) { return c == '-'; });
  return joined_words(line);
}

std::string tokenized_intl(std::string_view text) {
  std::u32string line;
  for (const char* at = text.data(); at != text.data() + text.size();) line += text::next_code_point(at);
  const auto is_no_number = [](char32_t c) { return !text::is_number(c); };
  line = split_pairs(line, kSecondAlone, is_no_number, text::is_punctuation);
  line = split_pairs(line, kFirstAlone, text::is_punctuation, is_no_number);
  line = split_off(line, text::is_symbol);
  std::string encoded;
  for (const char32_t code_point : line) text::append_utf8(code_point, encoded);
  return joined_words(encoded);
}

std::string tokenized_char(std::string_view text) {
  std::string characters;
  for (const char* at = text.data(); at != text.data() + text.size();) {
    const char* const start = at;
    text::next_code_point(at);
    if (!characters.empty()) characters += ' ';
    characters.append(start, at);
  }
  return characters;
}

}  // namespace

const Registry<BleuTokenizer>& bleu_tokenizers() {
  static const Registry<BleuTokenizer> list = [] {
    Registry<BleuTokenizer> names("tokenizer of BLEU");
    names.add("13a", BleuTokenizer::k13a);
    names.add("intl", BleuTokenizer::kIntl);
    names.add("char", BleuTokenizer::kChar);
    names.add("none", BleuTokenizer::kNone);
    return names;
  }();
  return list;
}

std::string tokenized(BleuTokenizer tokenizer, std::string_view text) {
  text = text::without_trailing_space(text);
  switch (tokenizer) {
    case BleuTokenizer::k13a:
      return tokenized_13a(text);
    case BleuTokenizer::kIntl:
      return tokenized_intl(text);
    case BleuTokenizer::kChar:
      return tokenized_char(text);
    case BleuTokenizer::kNone:
      break;
  }
  return std::string(text);
}

}  // namespace sst::metrics
