#include "report/studies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/text.hpp"
#include "report/metric_words.hpp"
#include "report/statistics.hpp"
#include "report/table_grid.hpp"

namespace sst::report {
namespace {

const Curve* curve_of(const RunRecord& run, const std::string& name) {
  const auto found = run.curves.find(name);
  return found == run.curves.end() ? nullptr : &found->second;
}

std::optional<double> mean_of_known(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(mean(values));
}

/// "0.71 (0.32 to 0.93)" over layers; "" where none was measured.
std::string range_text(const std::vector<LayerCorrelation>& correlations) {
  if (correlations.empty()) return "";
  std::vector<double> values;
  for (const auto& one : correlations) values.push_back(one.value);
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return fmt::format("{:.2f} ({:.2f} to {:.2f})", mean(values), *least, *most);
}

std::string correlation_note(const Table& table, size_t row, size_t column, const std::string& name) {
  std::vector<double> whole;
  size_t steps = 0;
  for (const auto& [ours, theirs] :
       paired_runs(table, *table.cells[row][column], *reference_cell(table, row, column))) {
    const Curve *a = curve_of(*ours, "optim/grad_norm"), *b = curve_of(*theirs, "optim/grad_norm");
    if (a == nullptr || b == nullptr) continue;
    steps = std::min(a->size(), b->size());
    if (const auto r = correlation(*a, *b)) whole.push_back(*r);
  }
  const auto r = mean_of_known(whole);
  if (!r) return "";
  std::string note = fmt::format("{}: the gradient norm correlates {:.2f} with the reference's over {} points", name,
                                 *r, with_thousands(static_cast<int64_t>(steps)));
  if (const auto text = range_text(layer_correlations(table, row, column, "grad_norm")); !text.empty())
    note += "; of gradients layer by layer " + text;
  if (const auto text = range_text(layer_correlations(table, row, column, "update_norm")); !text.empty())
    note += "; of updates layer by layer " + text;
  return note + ".";
}

/// The last value up to a step.
std::optional<double> value_at(const Curve& curve, double step) {
  std::optional<double> value;
  for (const auto& point : curve)
    if (static_cast<double>(point.step) <= step) value = point.value;
  return value;
}

std::string effective_note(const Table& table, size_t row, size_t column, const std::string& name) {
  const std::string metric = "valid/" + std::string(metric_leaf(table.columns[column].metric));
  std::vector<double> ours, theirs;
  double effective = 0;
  for (const auto& [run, reference] :
       paired_runs(table, *table.cells[row][column], *reference_cell(table, row, column))) {
    const Curve *a = curve_of(*run, metric), *b = curve_of(*reference, metric);
    if (a == nullptr || b == nullptr || a->empty()) continue;
    if (run->parameters_trainable <= 0 || reference->parameters_trainable <= run->parameters_trainable) continue;
    effective = static_cast<double>(a->back().step) * static_cast<double>(run->parameters_trainable);
    const auto value = value_at(*b, effective / static_cast<double>(reference->parameters_trainable));
    if (!value || !std::isfinite(*value) || !std::isfinite(a->back().value)) continue;
    ours.push_back(a->back().value * table_scale(metric));
    theirs.push_back(*value * table_scale(metric));
  }
  if (ours.empty()) return "";
  const int decimals = table_decimals(metric);
  return fmt::format("{}: {:.{}f} at its last effective step, {:.3g}, where the reference stood at {:.{}f} ({}).", name,
                     mean(ours), decimals, effective, mean(theirs), decimals, metric_label(metric));
}

}  // namespace

std::optional<double> correlation(const Curve& a, const Curve& b) {
  std::map<int64_t, double> of_b;
  for (const auto& point : b)
    if (std::isfinite(point.value)) of_b[point.step] = point.value;
  std::vector<double> x, y;
  for (const auto& point : a)
    if (const auto other = of_b.find(point.step); std::isfinite(point.value) && other != of_b.end()) {
      x.push_back(point.value);
      y.push_back(other->second);
    }
  if (x.size() < 3) return std::nullopt;
  const double mean_x = mean(x), mean_y = mean(y);
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  if (!(xx > 0) || !(yy > 0)) return std::nullopt;
  return xy / std::sqrt(xx * yy);
}

std::vector<std::pair<const RunRecord*, const RunRecord*>> paired_runs(const Table& table, const TableCell& cell,
                                                                       const TableCell& reference) {
  std::vector<std::pair<const RunRecord*, const RunRecord*>> pairs;
  for (const size_t index : cell.runs) {
    if (reference.runs.empty()) break;
    const RunRecord& run = table.runs[index];
    const RunRecord* other = &table.runs[reference.runs.front()];
    for (const size_t candidate : reference.runs)
      if (table.runs[candidate].seed == run.seed) other = &table.runs[candidate];
    pairs.emplace_back(&run, other);
  }
  return pairs;
}

const TableCell* reference_cell(const Table& table, size_t row, size_t column) {
  for (size_t other = 0; other < table.rows.size(); ++other) {
    const auto& cell = table.cells[other][column];
    if (!cell || !cell->is_reference) continue;
    bool agrees = true;
    for (size_t key = 0; key < table.spec.rows.size(); ++key) {
      const bool is_compared = table.spec.compare_to.count(table.spec.rows[key]) > 0;
      const std::string &theirs = table.rows[other][key], &ours = table.rows[row][key];
      agrees = agrees && (is_compared || theirs == kAbsent || theirs == ours);
    }
    if (agrees) return &*cell;
  }
  return nullptr;
}

std::vector<LayerCorrelation> layer_correlations(const Table& table, size_t row, size_t column,
                                                 const std::string& measure) {
  const auto& cell = table.cells[row][column];
  const TableCell* reference = reference_cell(table, row, column);
  if (!cell || reference == nullptr) return {};
  std::map<std::string, std::vector<double>> values;
  for (const auto& [ours, theirs] : paired_runs(table, *cell, *reference))
    for (const auto& [name, curve] : ours->curves) {
      if (!starts_with(name, "layer/") || !ends_with(name, "/" + measure)) continue;
      const std::string layer = name.substr(6, name.size() - 6 - measure.size() - 1);
      const Curve* other = curve_of(*theirs, name);
      const bool is_map = ours->curves.count("layer/" + layer + "/effective_rank") > 0;
      if (other == nullptr || !is_map) continue;
      if (const auto r = correlation(curve, *other)) values[layer].push_back(*r);
    }
  std::vector<LayerCorrelation> correlations;
  for (const auto& [layer, of_pairs] : values) correlations.push_back({layer, mean(of_pairs)});
  return correlations;
}

std::vector<std::string> study_notes(const Table& table) {
  std::vector<std::string> notes;
  for (size_t column = 0; column < table.columns.size(); ++column)
    for (size_t row = 0; row < table.rows.size(); ++row) {
      const auto& cell = table.cells[row][column];
      if (!cell || cell->is_reference || reference_cell(table, row, column) == nullptr) continue;
      const bool is_studied = std::any_of(cell->runs.begin(), cell->runs.end(),
                                          [&](size_t index) { return !table.runs[index].spectra.empty(); });
      if (!is_studied) continue;
      std::string name = setting_name(table.spec.rows, table.rows[row]);
      if (!table.columns[column].keys.empty())
        name = setting_name(table.spec.columns, table.columns[column].keys) + ", " + name;
      for (const auto& note : {correlation_note(table, row, column, name), effective_note(table, row, column, name)})
        if (!note.empty() && std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(note);
    }
  return notes;
}

}  // namespace sst::report
