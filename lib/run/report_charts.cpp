#include "run/report_charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string_view>

#include "core/text.hpp"
#include "run/metric_words.hpp"

namespace sst::run {
namespace {

constexpr size_t kPointsOfARun = 400;   ///< of one line, on the page of one run
constexpr size_t kPointsOfASeed = 160;  ///< where many lines share a chart
constexpr size_t kMostFigures = 12;     ///< a page with more columns than that is not read for its curves

/// What a curve is called on its axis: {"valid/f1" → "validation F1 …"} in words a reader of the paper knows.
struct AxisWords {
  std::string title, label;
};

AxisWords words(const std::string& name) {
  if (name == "train/loss") return {"Training loss", "training loss (nat)"};
  if (name == "valid/loss") return {"Validation loss", "validation loss (nat)"};
  if (name == "optim/lr") return {"Learning rate", "learning rate"};
  if (name == "optim/grad_norm") return {"Gradient norm", "gradient norm"};
  const std::string what = metric_words(name), unit = table_unit(name);
  return {"Validation " + what, "validation " + what + (unit.empty() ? "" : " (" + unit + ")")};
}

Curve scaled(Curve curve, const std::string& name) {
  for (auto& point : curve) point.value *= table_scale(name);
  return curve;
}

/// The curves beside the loss: of what the table shows, and of the scores of translated text where there are any.
std::vector<std::string> valid_names(const std::string& metric) {
  std::vector<std::string> names;
  for (const std::string_view leaf : {metric_leaf(metric), std::string_view("bleu"), std::string_view("chrf")})
    if (const std::string name = "valid/" + std::string(leaf);
        !leaf.empty() && leaf != "loss" && std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
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

/// What the page of one run shows of `logging.per_layer`.
constexpr std::array<std::pair<const char*, const char*>, 3> kLayerCharts = {
    {{"weight_norm", "Weight norm"}, {"grad_norm", "Gradient norm"}, {"effective_rank", "Effective rank"}}};

/// "layer/model.layers.3.fc1/weight_norm" → "model.layers.3.fc1".
std::string layer_of(const std::string& curve, const std::string& measure) {
  constexpr std::string_view kPrefix = "layer/";
  if (!starts_with(curve, kPrefix) || !ends_with(curve, "/" + measure)) return {};
  return curve.substr(kPrefix.size(), curve.size() - kPrefix.size() - measure.size() - 1);
}

/// The name without the numbers of blocks: layers of one kind share a colour.
std::string kind_of(const std::string& layer) {
  std::string kind;
  for (const auto& part : split(layer, '.'))
    if (part.find_first_not_of("0123456789") != std::string::npos) kind += (kind.empty() ? "" : ".") + part;
  return kind;
}

/// One line for each linear map, a colour for each kind; nothing where layers were not measured.
std::optional<Figure> layer_figure(const RunRecord& run) {
  Figure figure;
  figure.heading = "Layers";
  std::vector<std::string> kinds;
  for (const auto& [name, curve] : run.curves)
    if (const auto layer = layer_of(name, "effective_rank"); !layer.empty())
      if (const auto kind = kind_of(layer); std::find(kinds.begin(), kinds.end(), kind) == kinds.end())
        kinds.push_back(kind);
  if (kinds.empty()) return std::nullopt;
  const auto color_of = [&](const std::string& kind) {
    return static_cast<int>(std::find(kinds.begin(), kinds.end(), kind) - kinds.begin()) % kPaletteSize;
  };
  for (const auto& [measure, title] : kLayerCharts) {
    Chart chart = chart_of(fmt::format("layers-{}", measure), std::string("layer/") + measure);
    chart.title = title;
    chart.y_label = std::string(1, static_cast<char>(std::tolower(*title))) + (title + 1);
    for (const auto& [name, curve] : run.curves)
      if (const auto layer = layer_of(name, measure); run.curves.count("layer/" + layer + "/effective_rank") > 0)
        chart.lines.push_back({"", thinned(curve, kPointsOfASeed), color_of(kind_of(layer)), false});
    figure.charts.push_back(std::move(chart));
  }
  for (const auto& kind : kinds) figure.legend.emplace_back(kind, color_of(kind));
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
  loss.lines = {line("train/loss", 0, "training"), line("valid/loss", 1, "validation")};
  loss.legend = true;
  add(std::move(loss));
  std::vector<std::string> names = valid_names(metric);
  names.insert(names.end(), {"optim/lr", "optim/grad_norm"});
  for (const auto& name : names) {
    Chart chart = chart_of(fmt::format("chart{}", figure.charts.size()), name);
    chart.lines = {line(name, starts_with(name, "valid/") ? 1 : 2, "")};
    add(std::move(chart));
  }
  std::vector<Figure> figures;
  if (!figure.charts.empty()) figures.push_back(std::move(figure));
  if (auto layers = layer_figure(run)) figures.push_back(std::move(*layers));
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
    for (const auto& name : valid_names(metric)) names.push_back(name);
    for (const auto& name : names) {
      Chart chart = chart_of(fmt::format("chart{}-{}", column, figure.charts.size()), name);
      for (size_t row = 0; row < table.rows.size(); ++row)
        if (table.cells[row][column]) add_row(chart, table, *table.cells[row][column], row, name);
      // Means lie above every seed.
      std::stable_partition(chart.lines.begin(), chart.lines.end(), [](const Line& l) { return l.thin; });
      if (!chart.lines.empty()) figure.charts.push_back(std::move(chart));
    }
    if (!figure.charts.empty()) figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace sst::run
