#include "metrics/chrf.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "text/unicode_properties.hpp"

namespace sst::metrics {
namespace {

constexpr double kEpsilon = 1e-16;
constexpr std::string_view kPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

bool is_mark(char c) { return kPunctuation.find(c) != std::string_view::npos; }

/// A mark at the end of a word, or else at its beginning, is a word of its own; of "(hi)" only the second.
void append_parts(std::string_view word, std::vector<std::string_view>& words) {
  const size_t last = word.size() - 1;
  if (last > 0 && is_mark(word[last])) {
    words.insert(words.end(), {word.substr(0, last), word.substr(last)});
  } else if (last > 0 && is_mark(word[0])) {
    words.insert(words.end(), {word.substr(0, 1), word.substr(1)});
  } else {
    words.push_back(word);
  }
}

}  // namespace

Chrf::Chrf(ChrfOptions options) : options_(options), characters_(options.char_order), words_(options.word_order) {}

std::string Chrf::name() const { return fmt::format("chrF{}{}", options_.beta, std::string(options_.word_order, '+')); }

std::string Chrf::settings() const {
  return fmt::format("case:{}|eff:{}|nc:{}|nw:{}|space:{}", options_.lowercase ? "lc" : "mixed",
                     options_.eps_smoothing ? "no" : "yes", options_.char_order, options_.word_order,
                     options_.whitespace ? "yes" : "no");
}

void Chrf::prepare(std::string_view text, Side& side) const {
  side.text = options_.lowercase ? text::to_lower(text) : std::string(text);
  side.characters.clear();
  for (const char* at = side.text.data(); at != side.text.data() + side.text.size();)
    if (const char32_t c = text::next_code_point(at); options_.whitespace || !text::is_space(c))
      side.characters.push_back(c);
  side.words.clear();
  if (options_.word_order == 0) return;
  text::each_word(side.text, [&](std::string_view word) { append_parts(word, side.words); });
}

/// The row of the hypothesis with one reference.
void Chrf::count_reference(std::vector<int64_t>& row) {
  row.clear();
  const auto append = [&](const NgramMatches& matches, size_t hypothesis, size_t reference) {
    for (size_t order = 1; order <= matches.matches().size(); ++order) {
      const int32_t in_reference = ngrams_in(reference, order);
      row.push_back(in_reference > 0 ? ngrams_in(hypothesis, order) : 0);
      row.push_back(in_reference);
      row.push_back(matches.matches()[order - 1]);
    }
  };
  characters_.forget_references();
  characters_.add_reference(reference_.characters);
  append(characters_, hypothesis_.characters.size(), reference_.characters.size());
  if (options_.word_order == 0) return;
  words_.forget_references();
  numbers_.look_up(reference_.words, tokens_);
  words_.add_reference(tokens_);
  append(words_, hypothesis_.words.size(), reference_.words.size());
}

void Chrf::count(std::string_view hypothesis, std::span<const std::string_view> references, std::span<int32_t> row) {
  prepare(hypothesis, hypothesis_);
  characters_.set_hypothesis(hypothesis_.characters);
  numbers_.number(hypothesis_.words, tokens_);
  words_.set_hypothesis(tokens_);
  double best = -1;
  std::vector<int64_t> with_reference;
  for (const std::string_view reference : references) {
    prepare(reference, reference_);
    count_reference(with_reference);
    if (const double its_score = score(with_reference); its_score > best) {
      best = its_score;
      std::copy(with_reference.begin(), with_reference.end(), row.begin());
    }
  }
}

double Chrf::score(std::span<const int64_t> sums) const {
  const double factor = options_.beta * options_.beta;
  const size_t orders = sums.size() / 3;
  double smoothed = 0, precision_sum = 0, recall_sum = 0;
  int effective = 0;
  for (size_t i = 0; i < orders; ++i) {
    const auto in_hypothesis = static_cast<double>(sums[3 * i]), in_reference = static_cast<double>(sums[3 * i + 1]),
               matches = static_cast<double>(sums[3 * i + 2]);
    const double precision = in_hypothesis > 0 ? matches / in_hypothesis : kEpsilon;
    const double recall = in_reference > 0 ? matches / in_reference : kEpsilon;
    const double denominator = factor * precision + recall;
    smoothed += denominator > 0 ? (1 + factor) * precision * recall / denominator : kEpsilon;
    if (in_hypothesis > 0 && in_reference > 0) {
      precision_sum += precision;
      recall_sum += recall;
      ++effective;
    }
  }
  if (options_.eps_smoothing) return 100 * smoothed / static_cast<double>(orders);
  if (precision_sum + recall_sum == 0) return 0;
  const double precision = precision_sum / effective, recall = recall_sum / effective;
  return 100 * (1 + factor) * precision * recall / (factor * precision + recall);
}

}  // namespace sst::metrics
