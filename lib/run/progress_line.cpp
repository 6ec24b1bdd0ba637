#include "run/progress_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/clock.hpp"
#include "core/terminal.hpp"
#include "core/text.hpp"
#include "report/metric_words.hpp"

namespace sst::run {
namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

constexpr std::string_view kDim = "\x1b[2m", kCyan = "\x1b[36m", kGreen = "\x1b[32m", kBold = "\x1b[1m",
                           kReset = "\x1b[0m";

/// A piece of a terminal line: colour changes how it looks, never how wide it is.
struct Piece {
  std::string text;
  std::string_view style;
  int importance = 9;  ///< the smallest goes first where the line is too long
};

std::string painted(const std::vector<Piece>& pieces, size_t columns, bool color) {
  std::string line;
  size_t left = columns;
  for (const Piece& piece : pieces) {
    const std::string text = fit_width(piece.text, left);
    if (text.empty()) continue;
    left -= std::min(left, display_width(text));
    const bool is_styled = color && !piece.style.empty();
    line += is_styled ? fmt::format("{}{}{}", piece.style, text, kReset) : text;
  }
  return line;
}

size_t width_of(const std::vector<Piece>& pieces) {
  size_t cells = 0;
  for (const Piece& piece : pieces) cells += display_width(piece.text);
  return cells;
}

/// 182034 → "182k", 41.27 → "41.3", 3.2e6 → "3.2M".
std::string short_number(double value) {
  if (value >= 1e7) return fmt::format("{:.0f}M", value / 1e6);
  if (value >= 1e6) return fmt::format("{:.1f}M", value / 1e6);
  if (value >= 1e4) return fmt::format("{:.0f}k", value / 1e3);
  if (value >= 1e3) return fmt::format("{:.1f}k", value / 1e3);
  return value >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.1f}", value);
}

/// The fields behind the bar, in the order of the line.
std::vector<Piece> bar_fields(const TrainStatus& s, std::optional<double> eta_s) {
  std::vector<Piece> pieces = {{fmt::format("  loss {:.3f}", s.loss_nats), {}}};
  const auto add = [&](const std::optional<double>& value, int importance, const auto& text) {
    if (value) pieces.push_back({"  " + text(*value), {}, importance});
  };
  add(s.ppl_token, 6, [](double v) { return fmt::format("ppl {:.1f}", v); });
  add(s.lr, 4, [](double v) { return fmt::format("lr {:.1e}", v); });
  add(s.grad_norm, 3, [](double v) { return fmt::format("|g| {:.2f}", v); });
  add(s.tokens_per_s, 5, [](double v) { return short_number(v) + " tok/s"; });
  add(s.epochs_per_s, 5, [](double v) { return short_number(v) + " epochs/s"; });
  add(s.mfu, 2, [](double v) { return fmt::format("mfu {:.0f}%", 100 * v); });
  add(s.memory_bytes, 1, [&](double v) {
    return s.device_memory_bytes ? fmt::format("mem {:.1f}/{:.1f} GiB", v / kGiB, *s.device_memory_bytes / kGiB)
                                 : "mem " + human_bytes(v);
  });
  add(eta_s, 8, [](double v) { return "eta " + eta_text(v); });
  return pieces;
}

/// Loss first, perplexities next, the rest by name.
std::vector<std::pair<std::string, double>> ordered(const std::map<std::string, double>& metrics) {
  std::vector<std::pair<std::string, double>> list(metrics.begin(), metrics.end());
  const auto rank = [](const std::string& name) { return name == "loss" ? 0 : starts_with(name, "ppl") ? 1 : 2; };
  std::stable_sort(list.begin(), list.end(),
                   [&](const auto& a, const auto& b) { return rank(a.first) < rank(b.first); });
  return list;
}

}  // namespace

MetricFields journal_fields(const TrainStatus& s) {
  MetricFields fields = {{"epoch", s.epoch}};
  if (s.tokens) fields.emplace_back("tokens", *s.tokens);
  fields.emplace_back("train/loss", s.loss_nats);
  const auto add = [&](const char* name, const std::optional<double>& value) {
    if (value) fields.emplace_back(name, *value);
  };
  add("train/ppl_token", s.ppl_token);
  add("optim/lr", s.lr);
  add("optim/grad_norm", s.grad_norm);
  add("perf/tokens_per_s", s.tokens_per_s);
  add("perf/epochs_per_s", s.epochs_per_s);
  add("perf/mfu", s.mfu);
  add("perf/data_wait", s.data_wait);
  if (s.memory_bytes) fields.emplace_back("mem/peak_gib", *s.memory_bytes / kGiB);
  for (const auto& [name, value] : s.more) fields.emplace_back(name, value);
  return fields;
}

MetricFields journal_fields(const Evaluation& evaluation) {
  MetricFields fields;
  for (const auto& [name, value] : ordered(evaluation.metrics))
    fields.emplace_back(evaluation.split + "/" + name, value);
  if (evaluation.examples > 0) fields.emplace_back(evaluation.split + "/examples", evaluation.examples);
  for (const auto& [name, signature] : evaluation.signatures)
    if (evaluation.metrics.count(name) > 0)
      fields.emplace_back(evaluation.split + "/" + name + "_signature", signature);
  fields.emplace_back(evaluation.split + "/seconds", evaluation.seconds);
  return fields;
}

std::string plain_line(const TrainStatus& s, int64_t total_steps, std::optional<double> eta_s) {
  std::string line = fmt::format("train step={}", s.step);
  if (total_steps > 0) line += fmt::format("/{}", total_steps);
  line += fmt::format(" epoch={:.2f} loss={:.4f}", s.epoch, s.loss_nats);
  if (s.ppl_token) line += fmt::format(" ppl={:.2f}", *s.ppl_token);
  if (s.lr) line += fmt::format(" lr={:.3e}", *s.lr);
  if (s.grad_norm) line += fmt::format(" grad_norm={:.3f}", *s.grad_norm);
  if (s.tokens_per_s) line += fmt::format(" tok/s={:.0f}", *s.tokens_per_s);
  if (s.epochs_per_s) line += fmt::format(" epochs/s={:.1f}", *s.epochs_per_s);
  if (s.mfu) line += fmt::format(" mfu={:.3f}", *s.mfu);
  if (s.memory_bytes) line += fmt::format(" mem_gib={:.1f}", *s.memory_bytes / kGiB);
  if (s.data_wait) line += fmt::format(" data_wait={:.1f}%", 100 * *s.data_wait);
  if (eta_s) line += " eta=" + eta_text(*eta_s);
  return line;
}

std::string plain_line(const Evaluation& e) {
  std::string line = fmt::format("{} step={}", e.split, e.step);
  for (const auto& [name, value] : ordered(e.metrics)) {
    line += fmt::format(" {}={}", name, report::console_value(name, value, /*exact=*/true));
    if (const auto signature = e.signatures.find(name); signature != e.signatures.end())
      line += fmt::format(" {}_signature={}", name, signature->second);
  }
  if (!e.best_metric.empty())
    line += fmt::format(" best={} best_step={}", report::console_value(e.best_metric, e.best, true), e.best_step);
  return line + fmt::format(" seconds={:.1f}", e.seconds);
}

std::string bar_line(const TrainStatus& status, int64_t total_steps, std::optional<double> eta_s, size_t columns,
                     bool color) {
  std::vector<Piece> head = {{"train ", kBold}, {with_thousands(status.step), {}}};
  std::vector<Piece> fields = bar_fields(status, eta_s);
  if (total_steps > 0) {
    const double fraction = static_cast<double>(status.step) / static_cast<double>(total_steps);
    head[1].text += "/" + with_thousands(total_steps) + " ";
    const Piece percent = {fmt::format("{:>2.0f}%", 100 * std::clamp(fraction, 0.0, 1.0)), {}};
    const size_t around = width_of(head) + width_of({percent}) + width_of(fields);
    constexpr size_t kLongest = 21, kShortest = 8;
    const size_t cells = columns > around ? std::clamp(columns - around, kShortest, kLongest) : kShortest;
    head.push_back({bar(fraction, cells), kCyan});
    head.push_back(percent);
  }
  while (!fields.empty() && width_of(head) + width_of(fields) > columns)
    fields.erase(std::min_element(fields.begin(), fields.end(),
                                  [](const Piece& a, const Piece& b) { return a.importance < b.importance; }));
  head.insert(head.end(), fields.begin(), fields.end());
  return painted(head, columns, color);
}

std::string terminal_line(const Evaluation& e, size_t columns, bool color) {
  std::vector<Piece> pieces = {{e.split + " ", kBold}, {with_thousands(e.step), {}}};
  for (const auto& [name, value] : ordered(e.metrics))
    pieces.push_back({fmt::format("  {} {}", name, report::console_value(name, value, /*exact=*/false)), {}});
  if (!e.best_metric.empty()) {
    const std::string best = "  best " + report::console_value(e.best_metric, e.best, false);
    if (e.best_step == e.step)
      pieces.push_back({best + " (new)", kGreen});
    else
      pieces.push_back({best + " at " + with_thousands(e.best_step), kDim});
  }
  pieces.push_back({"  " + human_duration(e.seconds), kDim});
  return painted(pieces, columns, color);
}

std::string bar(double fraction, size_t cells) {
  constexpr std::array<std::string_view, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double clamped = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
  const auto eighths = static_cast<size_t>(std::lround(clamped * static_cast<double>(cells) * 8));
  std::string text;
  for (size_t i = 0; i < eighths / 8; ++i) text += "█";
  text += kEighths[eighths % 8];
  return pad_right(text, cells);
}

std::string eta_text(double seconds) {
  if (std::isfinite(seconds) && seconds >= 0 && seconds < 59.5) return fmt::format("{:.0f}s", seconds);
  return human_duration(std::max(seconds, 60.0));
}

}  // namespace sst::run
