#include "report/study_charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <optional>
#include <string_view>

#include "core/text.hpp"
#include "report/metric_words.hpp"
#include "report/studies.hpp"

namespace sst::report {
namespace {

constexpr size_t kMostSpectra = 6;  ///< charts of singular values on one page
constexpr size_t kTimes = 4;        ///< steps of training in one of them

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

/// The value of one metric over the share of singular values removed, in parts per million so that steps are whole.
Line pruning_line(const RunRecord& run, const std::string& metric, int color) {
  constexpr double kParts = 1e6;
  Line line{.color = color, .x_scale = 100 / kParts};
  for (const PrunePoint& point : run.pruning)
    if (const auto value = point.results.find(metric); value != point.results.end())
      line.points.push_back({std::llround(kParts * point.removed), table_scale(metric) * value->second});
  return line;
}

/// The metric that a pruning curve shows: the report's own where it was computed.
std::string pruning_metric(const RunRecord& run, const std::string& metric) {
  const auto& results = run.pruning.front().results;
  for (const auto& [name, value] : results)
    if (metric_leaf(name) == metric_leaf(metric)) return name;
  return results.empty() ? "" : results.begin()->first;
}

Figure pruning_figure(const std::string& metric, std::vector<Line> lines) {
  Chart chart = chart_of("pruning-" + std::string(metric_leaf(metric)), metric);
  chart.title = "Pruned singular values";
  chart.x_label = "singular values removed (%)";
  chart.lines = std::move(lines);
  return {.heading = "Pruning", .charts = {std::move(chart)}};
}

/// Singular values as a curve over their place, in per cent of the rank: matrices of any size share an axis.
Line spectrum_line(const std::string& name, const Spectrum& spectrum, int color) {
  const size_t count = spectrum.values.size();
  Line line{.name = name, .color = color, .x_scale = count > 1 ? 100 / static_cast<double>(count - 1) : 0};
  for (size_t i = 0; i < count; ++i) line.points.push_back({static_cast<int64_t>(i), spectrum.values[i]});
  return line;
}

Chart spectrum_chart(const std::string& id, const std::string& layer) {
  Chart chart;
  chart.id = "spectrum-" + id;
  chart.title = layer;
  chart.x_label = "place among singular values (% of the rank)";
  chart.y_label = "singular value";
  return chart;
}

/// A layer for each kind, that of the last block: the first kinds of them.
std::vector<std::string> shown_layers(const RunRecord& run) {
  std::map<std::string, std::string> last;
  for (const auto& [layer, spectra] : run.spectra)
    if (std::string& held = last[kind_of(layer)]; layer.size() >= held.size())
      held = layer;  // layers.10 after layers.9
  std::vector<std::string> layers;
  for (const auto& [kind, layer] : last)
    if (layers.size() < kMostSpectra) layers.push_back(layer);
  return layers;
}

/// A few layers from the first measurement to the last.
std::optional<Figure> spectra_of_run(const RunRecord& run) {
  Figure figure{.heading = "Singular values over training"};
  for (const auto& layer : shown_layers(run)) {
    const auto& spectra = run.spectra.at(layer);
    Chart chart = spectrum_chart(std::to_string(figure.charts.size()), layer);
    const size_t times = std::min(kTimes, spectra.size());
    for (size_t time = 0; time < times; ++time) {
      const auto& spectrum = spectra[times > 1 ? time * (spectra.size() - 1) / (times - 1) : 0];
      chart.lines.push_back(
          spectrum_line("step " + with_thousands(spectrum.step), spectrum, static_cast<int>(time) % kPaletteSize));
    }
    figure.charts.push_back(std::move(chart));
  }
  if (figure.charts.empty()) return std::nullopt;
  return figure;
}

using Legend = std::vector<std::pair<std::string, int>>;

/// Calls visit(row, color, run) for every run of a column, and returns the legend of the rows for which it was true.
template <class Visit>
Legend for_each_run(const Table& table, size_t column, const Visit& visit) {
  Legend legend;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    if (!table.cells[row][column]) continue;
    const int color = static_cast<int>(row) % kPaletteSize;
    bool is_shown = false;
    for (const size_t index : table.cells[row][column]->runs) is_shown |= visit(row, color, table.runs[index]);
    if (is_shown) legend.emplace_back(row_name(table, row), color);
  }
  return legend;
}

/// Every run that was pruned.
std::optional<Figure> pruning_of_column(const Table& table, size_t column) {
  std::string metric;
  std::vector<Line> lines;
  Legend legend = for_each_run(table, column, [&](size_t, int color, const RunRecord& run) {
    if (run.pruning.empty()) return false;
    if (metric.empty()) metric = pruning_metric(run, table.columns[column].metric);
    lines.push_back(pruning_line(run, metric, color));
    return true;
  });
  if (lines.empty()) return std::nullopt;
  Figure figure = pruning_figure(metric, std::move(lines));
  figure.charts.front().id += "-" + std::to_string(column);
  figure.legend = std::move(legend);
  return figure;
}

/// The last singular values of the same layers, a colour for each row.
std::optional<Figure> spectra_of_column(const Table& table, size_t column) {
  Figure figure{.heading = "Singular values at the end"};
  std::map<std::string, Chart> charts;
  figure.legend = for_each_run(table, column, [&](size_t, int color, const RunRecord& run) {
    for (const auto& layer : shown_layers(run)) {
      auto chart = charts.try_emplace(layer, spectrum_chart(fmt::format("{}-{}", column, charts.size()), layer)).first;
      chart->second.legend = false;
      chart->second.lines.push_back(spectrum_line("", run.spectra.at(layer).back(), color));
    }
    return !run.spectra.empty();
  });
  for (auto& [layer, chart] : charts) figure.charts.push_back(std::move(chart));
  if (figure.charts.empty()) return std::nullopt;
  return figure;
}

/// Gradient norms of all runs, and how each layer's gradients and updates go with the reference's.
std::optional<Figure> layers_beside_reference(const Table& table, size_t column) {
  Figure figure{.heading = "Layers beside the reference"};
  Chart norms = chart_of(fmt::format("norms-{}", column), "optim/grad_norm");
  figure.legend = for_each_run(table, column, [&](size_t, int color, const RunRecord& run) {
    const auto curve = run.curves.find("optim/grad_norm");
    if (curve == run.curves.end()) return false;
    norms.lines.push_back({"", thinned(curve->second, kPointsOfASeed), color, false});
    return true;
  });
  for (const auto& [measure, word] : {std::pair{"grad_norm", "gradient"}, {"update_norm", "update"}}) {
    Chart chart;
    chart.id = fmt::format("correlation-{}-{}", word, column);
    chart.title = fmt::format("Correlation of {} norms", word);
    chart.x_label = "layer, by name";
    chart.y_label = fmt::format("correlation of {} norms", word);
    chart.legend = false;
    for (size_t row = 0; row < table.rows.size(); ++row) {
      Line line{.color = static_cast<int>(row) % kPaletteSize};
      for (const auto& one : layer_correlations(table, row, column, measure))
        line.points.push_back({static_cast<int64_t>(line.points.size() + 1), one.value});
      const auto& cell = table.cells[row][column];
      if (!line.points.empty() && !cell->is_reference) chart.lines.push_back(std::move(line));
    }
    if (!chart.lines.empty()) figure.charts.push_back(std::move(chart));
  }
  if (figure.charts.empty()) return std::nullopt;  // without layers, norms alone are no study
  figure.charts.insert(figure.charts.begin(), std::move(norms));
  return figure;
}

/// The metric over steps times trainable parameters, where rows differ in those.
std::optional<Figure> effective_steps(const Table& table, size_t column) {
  const std::string name = valid_name(table.columns[column].metric);
  Chart chart = chart_of(fmt::format("effective-{}", column), name);
  chart.x_label = "effective steps (steps × trainable parameters)";
  int64_t least = 0, most = 0;
  Figure figure{.heading = "Effective steps"};
  figure.legend = for_each_run(table, column, [&](size_t, int color, const RunRecord& run) {
    const auto curve = run.curves.find(name);
    if (curve == run.curves.end() || run.parameters_trainable <= 0) return false;
    least = least == 0 ? run.parameters_trainable : std::min(least, run.parameters_trainable);
    most = std::max(most, run.parameters_trainable);
    chart.lines.push_back({.points = thinned(scaled(curve->second, name), kPointsOfASeed),
                           .color = color,
                           .x_scale = static_cast<double>(run.parameters_trainable)});
    return true;
  });
  if (least == most) return std::nullopt;
  figure.charts.push_back(std::move(chart));
  return figure;
}

void add_figure(std::vector<Figure>& figures, std::optional<Figure> figure) {
  if (figure) figures.push_back(std::move(*figure));
}

}  // namespace

std::vector<Figure> run_study_figures(const RunRecord& run, const std::string& metric) {
  std::vector<Figure> figures;
  add_figure(figures, layer_figure(run));
  add_figure(figures, spectra_of_run(run));
  if (run.pruning.empty()) return figures;
  const std::string pruned = pruning_metric(run, metric);
  figures.push_back(pruning_figure(pruned, {pruning_line(run, pruned, 1)}));
  return figures;
}

std::vector<Figure> table_study_figures(const Table& table, size_t column) {
  std::vector<Figure> figures;
  add_figure(figures, effective_steps(table, column));
  add_figure(figures, layers_beside_reference(table, column));
  add_figure(figures, spectra_of_column(table, column));
  add_figure(figures, pruning_of_column(table, column));
  return figures;
}

}  // namespace sst::report
