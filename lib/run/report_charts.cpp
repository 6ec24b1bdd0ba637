#include "run/report_charts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"
#include "run/metric_words.hpp"
#include "run/study_charts.hpp"

namespace sst::run {
namespace {

constexpr size_t kPointsOfARun = 400;  ///< of one line, on the page of one run
constexpr size_t kMostFigures = 12;    ///< a page with more columns than that is not read for its curves

/// What a curve is called on its axis: {"valid/f1" → "validation F1 …"} in words a reader of the paper knows.
struct AxisWords {
  std::string title, label;
};

AxisWords words(const std::string& name) {
  if (name == "train/loss") return {"Training loss", "training loss (nat)"};
  if (name == "valid/loss") return {"Validation loss", "validation loss (nat)"};
  if (name == "optim/lr") return {"Learning rate", "learning rate"};
  if (name == "optim/grad_norm") return {"Gradient norm", "gradient norm"};
  const std::string leaf(metric_leaf(name));
  const std::string unit = table_unit(name);
  const std::string text = leaf + (unit.empty() ? "" : " (" + unit + ")");
  return starts_with(name, "test/") ? AxisWords{"Test " + leaf, "test " + text}
                                    : AxisWords{"Validation " + leaf, "validation " + text};
}

/// The lines of one row of the table in a chart: every seed, then their mean on top.
void add_row(Chart& chart, const Table& table, const TableCell& cell, size_t row, const std::string& name) {
  std::vector<Curve> finished;
  const int color = static_cast<int>(row) % kPaletteSize;
  for (const size_t index : cell.runs) {
    const RunRecord& run = table.runs[index];
    const auto curve = run.curves.find(name);
    if (curve == run.curves.end()) continue;
    if (run.state == "finished") finished.push_back(scaled(curve->second, name));
    chart.lines.push_back({"", thinned(scaled(curve->second, name), kPointsOfASeed), color, cell.runs.size() > 1});
  }
  if (cell.runs.size() > 1 && !finished.empty())
    chart.lines.push_back({row_name(table, row), thinned(mean_curve(finished), kPointsOfASeed), color, false});
}

}  // namespace

Curve scaled(Curve curve, const std::string& name) {
  for (auto& point : curve) point.value *= table_scale(name);
  return curve;
}

std::string valid_name(const std::string& metric) { return "valid/" + std::string(metric_leaf(metric)); }

Chart chart_of(const std::string& id, const std::string& name) {
  Chart chart;
  chart.id = id;
  chart.title = words(name).title;
  chart.x_label = "step";
  chart.y_label = words(name).label;
  chart.legend = false;
  return chart;
}

std::string row_name(const Table& table, size_t row) { return setting_name(table.spec.rows, table.rows[row]); }

std::vector<Figure> run_figures(const RunRecord& run, const std::string& metric) {
  const auto line = [&](const std::string& name, int color, const std::string& label) -> Line {
    const auto found = run.curves.find(name);
    if (found == run.curves.end()) return {label, {}, color, false};
    return {label, thinned(scaled(found->second, name), kPointsOfARun), color, false};
  };
  Figure figure;
  figure.heading = "Curves";
  const auto add = [&](Chart chart) {
    const bool has_points =
        std::any_of(chart.lines.begin(), chart.lines.end(), [](const Line& l) { return !l.points.empty(); });
    if (has_points) figure.charts.push_back(std::move(chart));
  };
  Chart loss = chart_of("loss", "train/loss");
  loss.title = "Loss";
  loss.y_label = "loss (nat)";
  loss.lines = {line("train/loss", 0, "training"), line("valid/loss", 1, "validation")};
  loss.legend = true;
  add(std::move(loss));
  std::vector<std::string> names = {"optim/lr", "optim/grad_norm"};
  if (!metric.empty() && metric_leaf(metric) != "loss") names.insert(names.begin(), valid_name(metric));
  for (const auto& name : names) {
    Chart chart = chart_of(fmt::format("chart{}", figure.charts.size()), name);
    chart.lines = {line(name, starts_with(name, "valid/") ? 1 : 2, "")};
    add(std::move(chart));
  }
  std::vector<Figure> figures;
  if (!figure.charts.empty()) figures.push_back(std::move(figure));
  for (auto& study : run_study_figures(run, metric)) figures.push_back(std::move(study));
  return figures;
}

std::vector<Figure> table_figures(const Table& table) {
  std::vector<Figure> figures;
  for (size_t column = 0; column < table.columns.size() && column < kMostFigures; ++column) {
    const auto& [keys, metric] = table.columns[column];
    Figure figure;
    figure.heading = "Curves";
    for (size_t i = 0; i < keys.size(); ++i)
      figure.heading +=
          (i > 0 ? ", " : ": ") + table.spec.columns[i].substr(table.spec.columns[i].rfind('.') + 1) + " " + keys[i];
    for (size_t row = 0; row < table.rows.size(); ++row)
      if (table.cells[row][column] && !table.cells[row][column]->runs.empty())
        figure.legend.emplace_back(row_name(table, row), static_cast<int>(row) % kPaletteSize);
    std::vector<std::string> names = {"train/loss", "valid/loss"};
    if (!metric.empty() && metric_leaf(metric) != "loss") names.push_back(valid_name(metric));
    for (const auto& name : names) {
      Chart chart = chart_of(fmt::format("chart{}-{}", column, figure.charts.size()), name);
      for (size_t row = 0; row < table.rows.size(); ++row)
        if (table.cells[row][column]) add_row(chart, table, *table.cells[row][column], row, name);
      // Means lie above every seed.
      std::stable_partition(chart.lines.begin(), chart.lines.end(), [](const Line& l) { return l.thin; });
      if (!chart.lines.empty()) figure.charts.push_back(std::move(chart));
    }
    if (!figure.charts.empty()) figures.push_back(std::move(figure));
    for (auto& study : table_study_figures(table, column)) figures.push_back(std::move(study));
  }
  return figures;
}

}  // namespace sst::run
