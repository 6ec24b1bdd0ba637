#include "report/metric_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.hpp"

namespace sst::report {
namespace {

bool is_loss(std::string_view name) { return metric_leaf(name) == "loss"; }
bool is_zero_shot(std::string_view name) { return starts_with(name, "zero_shot/"); }
bool is_cost(std::string_view name) { return starts_with(name, "run/"); }
bool is_perplexity(std::string_view name) { return starts_with(metric_leaf(name), "ppl"); }

}  // namespace

std::string_view metric_leaf(std::string_view name) { return name.substr(name.rfind('/') + 1); }

std::string metric_words(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kWords = {
      {{"bleu", "BLEU"},
       {"chrf", "chrF2"},
       {"ppl_token", "perplexity per token"},
       {"ppl_word", "perplexity per word"},
       {"bits_per_byte", "bits per byte"}}};
  const std::string_view leaf = metric_leaf(name);
  for (const auto& [known, words] : kWords)
    if (leaf == known) return std::string(words);
  return std::string(leaf);
}

bool is_fraction(std::string_view name) {
  constexpr std::array<std::string_view, 6> kFractions = {"accuracy",          "f1",         "f1_macro", "roc_auc",
                                                          "average_precision", "auc_ap_mean"};
  return is_zero_shot(name) || std::find(kFractions.begin(), kFractions.end(), metric_leaf(name)) != kFractions.end();
}

double table_scale(std::string_view name) { return is_fraction(name) ? 100 : 1; }

std::string table_unit(std::string_view name) {
  if (is_fraction(name)) return "%";
  return is_loss(name) ? "nat" : "";
}

int table_decimals(std::string_view name) { return is_loss(name) || metric_leaf(name) == "bits_per_byte" ? 4 : 2; }

std::string console_value(std::string_view name, double value, bool exact) {
  if (is_loss(name)) return exact ? fmt::format("{:.4f}", value) : fmt::format("{:.3f}", value);
  if (is_perplexity(name)) return exact ? fmt::format("{:.2f}", value) : fmt::format("{:.1f}", value);
  return is_fraction(name) ? fmt::format("{:.4f}", value) : fmt::format("{:.2f}", value);
}

bool smaller_is_better(std::string_view name) {
  return is_cost(name) || is_loss(name) || is_perplexity(name) || metric_leaf(name) == "bits_per_byte";
}

}  // namespace sst::report
