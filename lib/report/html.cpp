#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/clock.hpp"
#include "core/text.hpp"
#include "report/charts.hpp"
#include "report/metric_words.hpp"
#include "report/pages.hpp"
#include "report/style.hpp"
#include "report/table_grid.hpp"

namespace sst::report {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n"
      "<style>{}</style>\n</head>\n<body>\n<main>\n{}\n<footer>sst-train, "
      "{}</footer>\n</main>\n</body>\n</html>\n",
      escaped(title), report_style(), body, utc_now());
}

std::string fact(const std::string& value, const std::string& name) {
  return fmt::format("<div class=\"fact\"><b>{}</b><span>{}</span></div>\n", escaped(value), escaped(name));
}

std::string state_chip(const std::string& state) {
  return fmt::format("<span class=\"state {}\">{}</span>", escaped(state), escaped(state));
}

const char* class_of(Emphasis emphasis) {
  switch (emphasis) {
    case Emphasis::kBest:
      return "best";
    case Emphasis::kSecond:
      return "second";
    case Emphasis::kMuted:
      return "muted";
    case Emphasis::kBad:
      return "bad";
    case Emphasis::kNone:
      break;
  }
  return "";
}

/// `extra` gives each row a last cell of its own; empty: none.
std::string table_element(const Grid& grid, const std::vector<std::string>& extra = {},
                          const std::string& extra_head = {}) {
  std::string out = "<div class=\"card scroll\"><table>\n<thead><tr>";
  for (size_t i = 0; i < grid.head.size(); ++i)
    out += fmt::format("<th{}>{}</th>", i < grid.key_columns ? " class=\"key\"" : "", escaped(grid.head[i]));
  if (!extra.empty()) out += "<th>" + escaped(extra_head) + "</th>";
  out += "</tr></thead>\n<tbody>\n";
  for (size_t row = 0; row < grid.body.size(); ++row) {
    out += "<tr>";
    for (size_t i = 0; i < grid.body[row].size(); ++i) {
      const GridCell& cell = grid.body[row][i];
      const std::string classes = trim((i < grid.key_columns ? "key " : "") + std::string(class_of(cell.emphasis)));
      out += (classes.empty() ? "<td>" : "<td class=\"" + classes + "\">") + escaped(cell.text);
      if (!cell.note.empty()) out += "<span class=\"note\">" + escaped(cell.note) + "</span>";
      out += "</td>";
    }
    if (!extra.empty()) out += extra[row];
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string notes_element(const std::vector<std::string>& notes) {
  std::string out = "<ul class=\"notes\">\n";
  for (const auto& note : notes) out += "<li>" + escaped(note) + "</li>\n";
  return out + "</ul>\n";
}

std::string figure_element(const Figure& figure) {
  std::string charts;
  for (const Chart& chart : figure.charts)
    if (const auto svg = svg_chart(chart))
      charts += fmt::format("<figure class=\"card\"><h3>{}</h3>\n{}</figure>\n", escaped(chart.title), *svg);
  std::string out = "<h2>" + escaped(figure.heading) + "</h2>\n";
  if (charts.empty())
    return out +
           "<p class=\"lead\">No curves: gnuplot was not found on this machine, or could not draw them. The "
           "numbers "
           "are in metrics.jsonl of each run; install gnuplot and run <code>sst-train report</code> "
           "again.</p>\n";
  if (!figure.legend.empty()) {
    out += "<ul class=\"legend\">";
    for (const auto& [name, color] : figure.legend)
      out += fmt::format("<li><i style=\"background:var(--line-{})\"></i>{}</li>", color, escaped(name));
    out += "</ul>\n";
  }
  const char* layout = figure.charts.size() % 3 == 0 ? "charts three" : "charts";
  return out + "<div class=\"" + layout + "\">\n" + charts + "</div>\n";
}

/// Where the seeds of a row lie: a dot per seed, a bar at their mean, a hollow diamond where the paper is.
std::string spread_element(const TableCell& cell, double least, double most, int color) {
  constexpr double kWidth = 180, kMargin = 8;
  const auto x = [&](double value) { return kMargin + (value - least) / (most - least) * (kWidth - 2 * kMargin); };
  std::string out = fmt::format(
      "<svg class=\"spread\" viewBox=\"0 0 180 30\" role=\"img\" aria-label=\"seeds\" "
      "style=\"color:var(--line-{})\">"
      "<path d=\"M8 15H172\" stroke=\"var(--rule)\"/>",
      color);
  if (cell.paper)
    out += fmt::format("<path d=\"M{:.1f} 9l6 6-6 6-6-6z\" fill=\"none\" stroke=\"var(--soft)\" stroke-width=\"1.4\"/>",
                       x(cell.paper->value));
  if (cell.mean)
    out += fmt::format("<path d=\"M{0:.1f} 6V24\" stroke=\"currentColor\" stroke-width=\"2\"/>", x(*cell.mean));
  for (const double value : cell.values)
    out +=
        fmt::format("<circle cx=\"{:.1f}\" cy=\"15\" r=\"3.4\" fill=\"currentColor\" fill-opacity=\".55\"/>", x(value));
  return out + "</svg>";
}

/// One strip per row, all on one scale; empty where fewer than two numbers leave nothing to compare.
std::vector<std::string> spreads(const Table& table) {
  std::vector<double> all;
  for (const auto& row : table.cells) {
    if (!row[0]) continue;
    all.insert(all.end(), row[0]->values.begin(), row[0]->values.end());
    if (row[0]->paper) all.push_back(row[0]->paper->value);
  }
  if (all.size() < 2) return {};
  const auto [least, most] = std::minmax_element(all.begin(), all.end());
  if (*least == *most) return {};
  std::vector<std::string> cells;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto& cell = table.cells[row][0];
    const int color = static_cast<int>(row) % kPaletteSize;
    cells.push_back("<td class=\"spread\">" + (cell ? spread_element(*cell, *least, *most, color) : "") + "</td>");
  }
  return cells;
}

std::string results_element(const RunRecord& run) {
  if (run.results.empty()) return {};
  Grid grid = {{"metric", "value"}, {}, 1};
  for (const auto& [name, value] : run.results)
    grid.body.push_back(
        {{metric_label(name)}, {fmt::format("{:.{}f}", value * table_scale(name), table_decimals(name))}});
  return "<h2>Results</h2>\n" + table_element(grid);
}

std::string facts_element(const RunRecord& run) {
  std::string out = "<div class=\"card scroll\"><table><tbody>\n";
  for (const auto& [name, value] : run_facts(run))
    out += "<tr><td class=\"key\">" + escaped(name) + "</td><td class=\"wrap\">" + escaped(value) + "</td></tr>\n";
  return out + "</tbody></table></div>\n";
}

std::string recipe_element(const RunRecord& run) {
  std::string text;
  for (const auto& [key, value] : run.keys) text += key + ": " + value + "\n";
  if (text.empty()) return {};
  return "<details class=\"card\"><summary>Resolved recipe</summary><pre>" + escaped(text) + "</pre></details>\n";
}

std::string runs_element(const Table& table) {
  std::string out =
      "<details class=\"card\"><summary>All runs</summary><div style=\"overflow-x:auto\"><table>\n<thead><tr>"
      "<th class=\"key\">run</th><th "
      "class=\"key\">state</th><th>seed</th><th>result</th><th>time</th></tr></thead><tbody>\n";
  for (const RunRecord& run : table.runs) {
    const std::string metric = metric_of(run, table.spec);
    const auto result = result_of(run, metric);
    const std::string value =
        result ? fmt::format("{:.{}f}", *result * table_scale(metric), table_decimals(metric)) : "–";
    out += fmt::format(
        "<tr><td class=\"key wrap\">{}</td><td class=\"key\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        escaped(run.path.empty() ? "not started" : run.path), state_chip(run.state), run.seed, value,
        run.seconds > 0 ? human_duration(run.seconds) : "–");
  }
  return out + "</tbody></table></div></details>\n";
}

std::string value_text(const std::string& metric, double value) {
  const std::string unit = table_unit(metric);
  return fmt::format("{:.{}f}{}", value, table_decimals(metric), unit.empty() ? "" : unit == "%" ? " %" : " " + unit);
}

/// The best cell of the table in a few tiles.
std::string headline(const Table& table) {
  std::string out;
  for (size_t row = 0; row < table.rows.size() && !is_wide(table) && !table.columns.empty(); ++row) {
    const auto& cell = table.cells[row][0];
    if (!cell || !cell->is_best) continue;
    out +=
        fact(value_text(table.columns[0].metric, *cell->mean),
             "best " + metric_label(table.columns[0].metric) + ": " + setting_name(table.spec.rows, table.rows[row]));
    break;
  }
  size_t finished = 0;
  double seconds = 0;
  for (const RunRecord& run : table.runs) {
    finished += run.state == "finished" ? 1 : 0;
    seconds += run.seconds;
  }
  out += fact(fmt::format("{} of {}", finished, table.runs.size()), "runs finished");
  out += fact(fmt::format("{}", table.rows.size()), table.spec.rows.size() == 1 ? table.spec.rows[0] : "settings");
  if (seconds > 0) out += fact(human_duration(seconds), "time, all runs");
  return "<div class=\"facts\">\n" + out + "</div>\n";
}

}  // namespace

std::string table_html(const Table& table) {
  std::string body = "<h1>" + escaped(table.title) + "</h1>\n" + headline(table);
  body += "<h2>Results</h2>\n";
  auto strips = is_wide(table) || table.columns.empty() ? std::vector<std::string>{} : spreads(table);
  const bool has_paper = !table.spec.paper.empty();
  body += table_element(result_grid(table, /*with_costs=*/false), strips,
                        has_paper ? "seeds, mean, ◇ paper" : "seeds, mean");
  body += notes_element(footnotes(table));
  for (const Figure& figure : table_figures(table)) body += figure_element(figure);
  const Grid costs = cost_grid(table);
  if (!costs.body.empty()) body += "<h2>Cost</h2>\n" + table_element(costs);
  return page(table.title, body + "<h2>Details</h2>\n" + runs_element(table));
}

std::string run_html(const RunRecord& run, const Table& table) {
  std::string body = "<h1>" + escaped(run_title(run)) + "</h1>\n<p class=\"lead\">" + state_chip(run.state);
  if (run.state != "finished") body += " " + escaped(state_text(run));
  if (const auto text = run.keys.find("description"); text != run.keys.end()) body += " " + escaped(text->second);
  body += "</p>\n";

  const std::string metric = metric_of(run, table.spec);
  std::string tiles;
  if (const auto result = result_of(run, metric); result && std::isfinite(*result))
    tiles += fact(value_text(metric, *result * table_scale(metric)), metric_label(metric));
  if (run.parameters_trainable > 0) tiles += fact(with_thousands(run.parameters_trainable), "trainable parameters");
  if (run.measured_bytes > 0) tiles += fact(human_bytes(run.measured_bytes), "memory, measured peak");
  if (run.seconds > 0) tiles += fact(human_duration(run.seconds), "time");
  if (!tiles.empty()) body += "<div class=\"facts\">\n" + tiles + "</div>\n";

  const bool has_paper =
      std::any_of(table.cells.begin(), table.cells.end(), [](const auto& row) { return row[0] && row[0]->paper; });
  if (has_paper) body += "<h2>Beside the paper</h2>\n" + table_element(result_grid(table, /*with_costs=*/false));
  for (const Figure& figure : run_figures(run, metric)) body += figure_element(figure);
  body += "<div class=\"pair\">\n<section>" + results_element(run) + "</section>\n<section><h2>Run</h2>\n" +
          facts_element(run) + "</section>\n</div>\n" + recipe_element(run);
  return page(run_title(run), body + notes_element(table.notes));
}

}  // namespace sst::report
