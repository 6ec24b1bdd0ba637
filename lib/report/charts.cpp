#include "report/charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "core/text.hpp"
#include "report/metric_words.hpp"
#include "report/study_charts.hpp"

namespace sst::report {
namespace {

constexpr size_t kPointsOfARun = 400;  ///< of one line, on the page of one run
constexpr size_t kMostFigures = 12;    ///< a page with more columns than that is not read for its curves

/// What a curve is called on its axis: {"valid/f1" → "validation F1 …"} in words a reader of the paper knows.
struct AxisWords {
  std::string title, label;
};

/// "test/ema_0.999/accuracy" → "ema_0.999"; empty where the weights themselves were measured.
std::string average_of(const std::string& name) {
  const size_t from = name.find("/ema_");
  return from == std::string::npos ? "" : name.substr(from + 1, name.rfind('/') - from - 1);
}

/// The curves of the averages beside a curve of the weights: of the same split and metric.
std::vector<std::string> average_curves(const RunRecord& run, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [curve, points] : run.curves)
    if (!average_of(curve).empty() && metric_leaf(curve) == metric_leaf(name) &&
        starts_with(curve, name.substr(0, name.find('/') + 1)))
      names.push_back(curve);
  return names;
}

AxisWords words(const std::string& name) {
  if (name == "train/loss") return {"Training loss", "training loss (nat)"};
  if (name == "weights/norm") return {"Weight norm", "norm of the decayed weights"};
  if (name == "weights/effective_lr") return {"Effective learning rate", "learning rate / weight norm"};
  if (name == "weights/relative_update") return {"Relative update", "norm of a step / weight norm"};
  if (name == "optim/lr") return {"Learning rate", "learning rate"};
  if (name == "optim/grad_norm") return {"Gradient norm", "gradient norm"};
  const std::string what = metric_words(name), unit = table_unit(name);
  const std::string split = starts_with(name, "test/")        ? "Test"
                            : starts_with(name, "train_set/") ? "Training set"
                                                              : "Validation";
  const std::string average = average_of(name);
  const std::string text = split + " " + what + (average.empty() ? "" : ", " + average);
  return {text, std::string(1, static_cast<char>(std::tolower(text[0]))) + text.substr(1) +
                    (unit.empty() ? "" : " (" + unit + ")")};
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

/// What `logging.weights` measures of all decayed weights together.
const std::vector<std::string> kWeightCurves = {"weights/norm", "weights/effective_lr", "weights/relative_update"};

/// The curves a reader compares a metric by, where a run has them: on valid, where it is measured during training, and by
/// itself.
std::vector<std::string> metric_curves(const std::string& metric) {
  std::vector<std::string> names = {"valid/bleu", "valid/chrf"};
  if (!metric.empty() && metric_leaf(metric) != "loss")
    for (const auto& name : {metric, valid_name(metric)}) {
      std::erase(names, name);
      names.insert(names.begin(), name);
    }
  return names;
}

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

namespace {

/// The weights by groups, and what steps do to them; nothing where they were not measured.
std::optional<Figure> weight_figure(const RunRecord& run) {
  if (run.curves.count(kWeightCurves.front()) == 0) return std::nullopt;
  Figure figure;
  figure.heading = "Weights";
  for (const auto& name : kWeightCurves) {
    Chart chart = chart_of("weights-" + name.substr(name.find('/') + 1), name);
    chart.lines = {{"", thinned(run.curves.at(name), kPointsOfARun), 2, false}};
    figure.charts.push_back(std::move(chart));
  }
  Chart groups = chart_of("weights-groups", "weights/norm");
  groups.title = "Weight norm by group";
  groups.y_label = "norm";
  groups.legend = true;
  const std::string prefix = "weights/norm/";
  for (const auto& [name, curve] : run.curves)
    if (starts_with(name, prefix))
      groups.lines.push_back({name.substr(prefix.size()), thinned(curve, kPointsOfARun),
                              static_cast<int>(groups.lines.size()) % kPaletteSize, false});
  figure.charts.push_back(std::move(groups));
  return figure;
}

}  // namespace

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
  loss.lines = {line("train/loss", 0, "training"), line("valid/loss", 1, "validation"),
                line("train_set/loss", 2, "training set")};
  for (const auto& name : average_curves(run, "valid/loss")) loss.lines.push_back(line(name, 3, average_of(name)));
  std::erase_if(loss.lines, [](const Line& l) { return l.points.empty(); });
  loss.legend = true;
  add(std::move(loss));
  std::vector<std::string> names = {"optim/lr", "optim/grad_norm"};
  const auto measured = metric_curves(metric);
  names.insert(names.begin(), measured.begin(), measured.end());
  for (const auto& name : names) {
    Chart chart = chart_of(fmt::format("chart{}", figure.charts.size()), name);
    chart.lines = {line(name, starts_with(name, "valid/") ? 1 : 2, "")};
    for (const auto& average : average_curves(run, name)) chart.lines.push_back(line(average, 3, average_of(average)));
    chart.legend = chart.lines.size() > 1;
    if (chart.legend) chart.lines.front().name = "weights";
    add(std::move(chart));
  }
  std::vector<Figure> figures;
  if (!figure.charts.empty()) figures.push_back(std::move(figure));
  if (auto weights = weight_figure(run)) figures.push_back(std::move(*weights));
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
    std::vector<std::string> names = {"train/loss", "valid/loss", "train_set/loss"};
    std::vector<std::string> averages;
    for (const auto& run : table.runs)
      if (averages.empty() && !metric.empty()) averages = average_curves(run, metric);
    for (const auto& more : {metric_curves(metric), averages, kWeightCurves})
      names.insert(names.end(), more.begin(), more.end());
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

}  // namespace sst::report
