#include "report/table_grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/clock.hpp"
#include "core/text.hpp"
#include "report/metric_words.hpp"

namespace sst::report {
namespace {

std::string fixed(double value, int decimals) { return fmt::format("{:.{}f}", value, decimals); }

/// As printed: 78.1 stays 78.1.
std::string paper_text(const PaperValue& paper) {
  return fmt::format("{}", paper.value) + (paper.sd ? fmt::format(" ± {}", *paper.sd) : "") +
         (paper.seeds ? fmt::format(" ({})", *paper.seeds) : "") + (paper.note.empty() ? "" : ", " + paper.note);
}

std::string difference_text(const TableCell& cell, const std::string& metric) {
  if (!cell.difference) return "";
  const std::string text = fmt::format("{:+.{}f}", *cell.difference, table_decimals(metric));
  return text.find_first_of("123456789") == std::string::npos ? text.substr(1) : text;  // no "-0.00"
}

std::string p_text(const TableCell& cell) {
  if (cell.is_reference) return "reference";
  if (!cell.p) return "";
  return *cell.p < 0.001 ? "<0.001" : fmt::format("{:.3f}", *cell.p);
}

std::string bytes_text(double bytes) { return bytes > 0 ? human_bytes(bytes) : ""; }

struct Measure {
  std::string head;
  std::string (*text)(const TableCell& cell, const std::string& metric);
};

std::vector<Measure> comparisons() {
  return {{"paper", [](const TableCell& c, const std::string&) { return c.paper ? paper_text(*c.paper) : ""; }},
          {"difference", difference_text}};
}

Measure significance() {
  return {"p", [](const TableCell& c, const std::string&) { return p_text(c); }};
}

std::vector<Measure> costs() {
  return {{"trainable", [](const TableCell& c,
                           const std::string&) { return parameters_text(c.parameters_trainable, c.parameters_total); }},
          {"memory est.", [](const TableCell& c, const std::string&) { return bytes_text(c.estimated_bytes); }},
          {"memory", [](const TableCell& c, const std::string&) { return bytes_text(c.measured_bytes); }},
          {"time", [](const TableCell& c, const std::string&) {
             return c.seconds > 0 ? human_duration(c.seconds) : std::string();
           }}};
}

/// Without the measures that no cell has.
std::vector<Measure> used(const Table& table, const std::vector<Measure>& all) {
  std::vector<Measure> some;
  for (const Measure& measure : all) {
    const bool is_used = std::any_of(table.cells.begin(), table.cells.end(), [&](const auto& row) {
      return std::any_of(row.begin(), row.end(),
                         [&](const auto& cell) { return cell && !measure.text(*cell, "").empty(); });
    });
    if (is_used) some.push_back(measure);
  }
  return some;
}

std::vector<Measure> operator+(std::vector<Measure> a, const std::vector<Measure>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

bool has_one_metric(const Table& table) {
  return std::all_of(table.columns.begin(), table.columns.end(),
                     [&](const TableColumn& c) { return c.metric == table.columns.front().metric; });
}

std::string column_head(const Table& table, const TableColumn& column) {
  if (column.keys.empty()) return metric_label(column.metric);
  const std::string keys = join(column.keys, ", ");
  return has_one_metric(table) ? keys : keys + " · " + metric_label(column.metric);
}

std::vector<GridCell> key_cells(const std::vector<std::string>& keys) {
  std::vector<GridCell> cells;
  for (const auto& key : keys) cells.push_back({key});
  return cells;
}

/// The line under a row of a wide table: what the paper printed, and how far ours is from it.
std::vector<GridCell> paper_line(const Table& table, size_t row) {
  std::vector<GridCell> line(table.spec.rows.size(), GridCell{"", Emphasis::kMuted});
  if (!line.empty()) line.back().text = "paper";
  bool has_value = false;
  for (size_t column = 0; column < table.columns.size(); ++column) {
    const auto& cell = table.cells[row][column];
    std::string text;
    if (cell && cell->paper) {
      has_value = true;
      text = paper_text(*cell->paper);
      if (cell->difference) text += " (" + difference_text(*cell, table.columns[column].metric) + ")";
    }
    line.push_back({text, Emphasis::kMuted});
  }
  return has_value ? line : std::vector<GridCell>{};
}

/// What figures that compare with their like only were computed by.
std::vector<std::string> signature_notes(const Table& table) {
  std::map<std::string, std::set<std::string>> signatures;
  for (const RunRecord& run : table.runs)
    for (const auto& [name, signature] : run.signatures) signatures[metric_words(name)].insert(signature);
  std::vector<std::string> notes;
  for (const auto& [metric, all] : signatures)
    notes.push_back(metric + (all.size() > 1 ? " has several signatures, which do not compare: " : ": ") +
                    join({all.begin(), all.end()}, "; ") + ".");
  return notes;
}

}  // namespace

std::string metric_label(const std::string& metric) {
  const size_t leaf = metric.size() - metric_leaf(metric).size();
  std::string label = metric.substr(0, leaf) + metric_words(metric);
  std::replace(label.begin(), label.end(), '/', ' ');
  const std::string unit = table_unit(metric);
  return unit.empty() ? label : label + " (" + unit + ")";
}

std::string parameters_text(int64_t trainable, int64_t total) {
  if (total <= 0) return "";
  const double percent = 100 * static_cast<double>(trainable) / static_cast<double>(total);
  return fmt::format("{} ({:.{}f}%)", with_thousands(trainable), percent, percent < 10 ? 1 : 0);
}

GridCell result_cell(const std::optional<TableCell>& cell, const std::string& metric) {
  if (!cell) return {"–", Emphasis::kMuted};
  std::vector<std::string> states;
  for (const auto& [state, count] : cell->not_counted)
    states.push_back(cell->runs.size() > 1 ? fmt::format("{} {}", count, state) : state);
  if (!cell->mean) return {join(states, ", "), Emphasis::kBad};
  const int decimals = table_decimals(metric);
  std::string text = fixed(*cell->mean, decimals) + (cell->sd ? " ± " + fixed(*cell->sd, decimals) : "");
  text += fmt::format(" ({})", cell->values.size());
  const Emphasis emphasis = cell->is_best ? Emphasis::kBest : cell->is_second ? Emphasis::kSecond : Emphasis::kNone;
  return {text, emphasis, join(states, ", ")};
}

bool is_wide(const Table& table) { return table.columns.size() > 1; }

Grid result_grid(const Table& table, bool with_costs) {
  Grid grid;
  grid.key_columns = table.spec.rows.size();
  grid.head = table.spec.rows;
  for (const TableColumn& column : table.columns) grid.head.push_back(column_head(table, column));
  std::vector<Measure> beside;
  if (!is_wide(table))
    beside = used(table, comparisons() + std::vector{significance()} + (with_costs ? costs() : std::vector<Measure>{}));
  for (const Measure& measure : beside) grid.head.push_back(measure.head);
  for (size_t row = 0; row < table.rows.size(); ++row) {
    std::vector<GridCell> line = key_cells(table.rows[row]);
    for (size_t column = 0; column < table.columns.size(); ++column)
      line.push_back(result_cell(table.cells[row][column], table.columns[column].metric));
    for (const Measure& measure : beside) {
      const auto& cell = table.cells[row][0];
      line.push_back({cell ? measure.text(*cell, table.columns[0].metric) : ""});
    }
    grid.body.push_back(std::move(line));
    if (!is_wide(table)) continue;
    if (auto paper = paper_line(table, row); !paper.empty()) grid.body.push_back(std::move(paper));
  }
  return grid;
}

Grid cost_grid(const Table& table) {
  Grid grid;
  const auto shown = used(table, is_wide(table) ? std::vector{significance()} + costs() : costs());
  if (shown.empty()) return grid;
  grid.key_columns = table.spec.rows.size() + table.spec.columns.size();
  grid.head = table.spec.rows;
  grid.head.insert(grid.head.end(), table.spec.columns.begin(), table.spec.columns.end());
  for (const Measure& measure : shown) grid.head.push_back(measure.head);
  for (size_t column = 0; column < table.columns.size(); ++column) {
    for (size_t row = 0; row < table.rows.size(); ++row) {
      const auto& cell = table.cells[row][column];
      if (!cell) continue;
      std::vector<GridCell> line = key_cells(table.rows[row]);
      for (const auto& key : table.columns[column].keys) line.push_back({key});
      for (const Measure& measure : shown) line.push_back({measure.text(*cell, table.columns[column].metric)});
      grid.body.push_back(std::move(line));
    }
  }
  return grid;
}

std::vector<std::string> footnotes(const Table& table) {
  std::vector<std::string> notes = {"Cells: mean ± sample standard deviation (number of seeds)."};
  const bool has_race = std::any_of(table.cells.begin(), table.cells.end(), [](const auto& row) {
    return std::any_of(row.begin(), row.end(), [](const auto& cell) { return cell && cell->is_best; });
  });
  if (has_race) notes[0] += " Best of a column bold, runner-up underlined.";
  if (!table.spec.columns.empty()) {
    std::string note = "Columns: " + join(table.spec.columns, ", ");
    if (has_one_metric(table) && !table.columns.empty()) note += "; cells: " + metric_label(table.columns[0].metric);
    notes.push_back(note + ".");
  }
  if (!table.spec.paper.empty())
    notes.push_back(
        "Paper: " + (table.spec.paper_table.empty() ? "values given by the recipe" : table.spec.paper_table) +
        "; difference = ours − paper.");
  if (!table.spec.compare_to.empty()) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : table.spec.compare_to) pairs.push_back(key + "=" + value);
    notes.push_back("p: two-sided Welch t-test over seeds against " + join(pairs, ", ") + ".");
  }
  const auto signatures = signature_notes(table);
  notes.insert(notes.end(), signatures.begin(), signatures.end());
  std::set<std::string> versions;
  double seconds = 0;
  for (const RunRecord& run : table.runs) {
    seconds += run.seconds;
    if (!run.version.empty()) versions.insert(run.version);
  }
  if (seconds > 0) notes.push_back(fmt::format("{} runs, {} in all.", table.runs.size(), human_duration(seconds)));
  if (!versions.empty()) notes.push_back("Made by " + join({versions.begin(), versions.end()}, "; ") + ".");
  notes.insert(notes.end(), table.notes.begin(), table.notes.end());
  return notes;
}

}  // namespace sst::report
