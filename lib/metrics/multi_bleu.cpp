#include "metrics/multi_bleu.hpp"

#include <fmt/format.h>

#include "text/unicode_properties.hpp"

namespace sst::metrics {
namespace {

bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string ascii_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return lower;
}

/// Python's lower case but for the final sigma, which Perl's lc does not know.
std::string perl_lower(std::string_view text) {
  std::string lower;
  for (const char* at = text.data(); at != text.data() + text.size();) {
    const char* const start = at;
    text::next_code_point(at);
    lower += text::to_lower({start, static_cast<size_t>(at - start)});
  }
  return lower;
}

/// split(' ', …) of bytes.
void cut_at_ascii_space(std::string_view text, std::vector<std::string_view>& words) {
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    while (at < text.size() && !is_ascii_space(text[at])) ++at;
    if (at > start) words.push_back(text.substr(start, at - start));
    while (at < text.size() && is_ascii_space(text[at])) ++at;
  }
}

}  // namespace

MultiBleu::MultiBleu(MultiBleuOptions options)
    : Bleu({.tokenizer = options.detokenized ? BleuTokenizer::k13a : BleuTokenizer::kNone,
            .lowercase = options.lowercase,
            .smoothing = Smoothing::kNone}),
      multi_(options) {}

std::string MultiBleu::settings() const {
  return fmt::format("case:{}|tok:{}|smooth:none", multi_.lowercase ? "lc" : "mixed",
                     multi_.detokenized ? "13a" : "none");
}

void MultiBleu::cut(std::string_view text, std::string& buffer, std::vector<std::string_view>& words) const {
  words.clear();
  if (!multi_.detokenized) {
    buffer = multi_.lowercase ? ascii_lower(text) : std::string(text);
    return cut_at_ascii_space(buffer, words);
  }
  buffer = tokenized(BleuTokenizer::k13a, multi_.lowercase ? perl_lower(text) : std::string(text));
  text::each_word(buffer, [&](std::string_view word) { words.push_back(word); });
}

std::string MultiBleu::details(std::span<const int64_t> sums) const {
  const BleuScore result = evaluate(sums);
  return fmt::format(", {:.1f} (BP={:.3f}, ratio={:.3f}, hyp_len={}, ref_len={})", fmt::join(result.precisions, "/"),
                     result.brevity_penalty, result.ratio(), result.hypothesis_words, result.reference_words);
}

std::string MultiBleu::line(std::span<const int64_t> sums) const {
  if (sums[1] == 0) return "BLEU = 0, 0/0/0/0 (BP=0, ratio=0, hyp_len=0, ref_len=0)";
  return fmt::format("BLEU = {:.2f}{}", score(sums), details(sums));
}

}  // namespace sst::metrics
