#include "metrics/bleu.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/unicode_properties.hpp"

namespace sst::metrics {
namespace {

constexpr double kLogOfZero = -9999999999.0;  // sacreBLEU's and the classic scripts'

double floored_log(double value) { return value == 0 ? kLogOfZero : std::log(value); }

bool takes_value(Smoothing smoothing) { return smoothing == Smoothing::kFloor || smoothing == Smoothing::kAddK; }

double value_of(const BleuOptions& options) {
  return options.smooth_value.value_or(options.smoothing == Smoothing::kFloor ? 0.1 : 1.0);
}

double brevity_penalty(int64_t hypothesis_words, int64_t reference_words) {
  if (hypothesis_words >= reference_words) return 1;
  if (hypothesis_words == 0) return 0;
  return std::exp(1 - static_cast<double>(reference_words) / static_cast<double>(hypothesis_words));
}

bool is_closer(size_t words, size_t than, size_t hypothesis) {
  const auto distance = [&](size_t length) { return length > hypothesis ? length - hypothesis : hypothesis - length; };
  return distance(words) < distance(than) || (distance(words) == distance(than) && words < than);
}

}  // namespace

const Registry<Smoothing>& smoothings() {
  static const Registry<Smoothing> list = [] {
    Registry<Smoothing> names("smoothing of BLEU");
    names.add("exp", Smoothing::kExp);
    names.add("floor", Smoothing::kFloor);
    names.add("add-k", Smoothing::kAddK);
    names.add("none", Smoothing::kNone);
    return names;
  }();
  return list;
}

Bleu::Bleu(BleuOptions options) : options_(std::move(options)), matches_(options_.max_order) {}

std::string Bleu::settings() const {
  std::string smooth = name_of(smoothings(), options_.smoothing);
  if (takes_value(options_.smoothing)) smooth += fmt::format("[{:.2f}]", value_of(options_));
  return fmt::format("case:{}|eff:{}|tok:{}|smooth:{}", options_.lowercase ? "lc" : "mixed",
                     options_.effective_order ? "yes" : "no", name_of(bleu_tokenizers(), options_.tokenizer), smooth);
}

void Bleu::cut(std::string_view text, std::string& buffer, std::vector<std::string_view>& words) const {
  std::string lower;
  if (options_.lowercase) text = lower = text::to_lower(text);
  buffer = tokenized(options_.tokenizer, text);
  words.clear();
  text::each_word(buffer, [&](std::string_view word) { words.push_back(word); });
}

void Bleu::count(std::string_view hypothesis, std::span<const std::string_view> references, std::span<int32_t> row) {
  cut(hypothesis, hypothesis_, words_);
  const size_t hypothesis_words = words_.size();
  numbers_.number(words_, tokens_);
  matches_.set_hypothesis(tokens_);
  std::optional<size_t> reference_words;
  for (const std::string_view reference : references) {
    cut(reference, reference_, words_);
    if (!reference_words || is_closer(words_.size(), *reference_words, hypothesis_words))
      reference_words = words_.size();
    numbers_.look_up(words_, tokens_);
    matches_.add_reference(tokens_);
  }
  row[0] = static_cast<int32_t>(hypothesis_words);
  row[1] = static_cast<int32_t>(reference_words.value_or(0));
  for (size_t i = 0; i < options_.max_order; ++i) {
    row[2 + i] = matches_.matches()[i];
    row[2 + options_.max_order + i] = ngrams_in(hypothesis_words, i + 1);
  }
}

BleuScore Bleu::evaluate(std::span<const int64_t> sums) const {
  const size_t orders = options_.max_order;
  BleuScore result;
  result.hypothesis_words = sums[0];
  result.reference_words = sums[1];
  result.matches.assign(sums.begin() + 2, sums.begin() + 2 + static_cast<ptrdiff_t>(orders));
  result.totals.assign(sums.begin() + 2 + static_cast<ptrdiff_t>(orders), sums.end());
  result.precisions.assign(orders, 0);
  result.brevity_penalty = brevity_penalty(result.hypothesis_words, result.reference_words);
  if (std::all_of(result.matches.begin(), result.matches.end(), [](double matches) { return matches == 0; }))
    return result;

  double halved = 1;
  size_t mean_over = orders;
  for (size_t i = 0; i < orders; ++i) {
    double &matches = result.matches[i], &total = result.totals[i];
    if (options_.smoothing == Smoothing::kAddK && i > 0) {
      matches += value_of(options_);
      total += value_of(options_);
    }
    if (total == 0) break;
    if (options_.effective_order) mean_over = i + 1;
    if (matches > 0) {
      result.precisions[i] = 100 * matches / total;
    } else if (options_.smoothing == Smoothing::kExp) {
      result.precisions[i] = 100 / ((halved *= 2) * total);
    } else if (options_.smoothing == Smoothing::kFloor) {
      result.precisions[i] = 100 * value_of(options_) / total;
    }
  }
  double logs = 0;
  for (size_t i = 0; i < mean_over; ++i) logs += floored_log(result.precisions[i]);
  result.score = result.brevity_penalty * std::exp(logs / static_cast<double>(mean_over));
  return result;
}

std::string Bleu::details(std::span<const int64_t> sums) const {
  const BleuScore result = evaluate(sums);
  return fmt::format(" {:.1f} (BP = {:.3f} ratio = {:.3f} hyp_len = {} ref_len = {})",
                     fmt::join(result.precisions, "/"), result.brevity_penalty, result.ratio(), result.hypothesis_words,
                     result.reference_words);
}

}  // namespace sst::metrics
