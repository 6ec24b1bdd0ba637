#include "report/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"
#include "report/metric_words.hpp"
#include "report/statistics.hpp"
#include "report/studies.hpp"

namespace sst::report {
namespace {

using Keys = std::vector<std::string>;

std::optional<double> as_number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') return {};
  return value;
}

bool same_value(const std::string& a, const std::string& b) {
  const auto x = as_number(a), y = as_number(b);
  return x && y ? *x == *y : a == b;
}

/// Absent first, numbers by size, then words.
bool comes_before(const std::string& a, const std::string& b) {
  const auto rank = [](const std::string& text) { return text == kAbsent ? 0 : as_number(text) ? 1 : 2; };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  return rank(a) == 1 ? *as_number(a) < *as_number(b) : a < b;
}

bool keys_before(const Keys& a, const Keys& b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), comes_before);
}

bool column_before(const TableColumn& a, const TableColumn& b) {
  return keys_before(a.keys, b.keys) || (a.keys == b.keys && a.metric < b.metric);
}
bool same_column(const TableColumn& a, const TableColumn& b) { return a.keys == b.keys && a.metric == b.metric; }

Keys values_of(const std::map<std::string, std::string>& keys, const std::vector<std::string>& names) {
  Keys values;
  for (const auto& name : names) {
    const auto found = keys.find(name);
    values.push_back(found == keys.end() ? kAbsent : found->second);
  }
  return values;
}

bool matches(const std::map<std::string, std::string>& keys, const std::map<std::string, std::string>& pattern) {
  return std::all_of(pattern.begin(), pattern.end(), [&](const auto& wanted) {
    const auto found = keys.find(wanted.first);
    return found != keys.end() && same_value(found->second, wanted.second);
  });
}

/// The keys that may differ between the seeds of one setting without changing what is measured.
bool is_neutral(const std::string& key) {
  static const std::set<std::string> kNames = {"seed", "name", "description", "data_root", "out_root"};
  if (kNames.count(key) > 0) return true;
  for (const char* section : {"logging.", "checkpoint.", "distributed.", "runtime.", "report.", "sweep."})
    if (starts_with(key, section)) return true;
  return false;
}

/// Recipe keys in which the runs of a cell differ and should not.
std::set<std::string> mixed_keys(const std::vector<RunRecord>& runs, const TableCell& cell) {
  std::set<std::string> mixed;
  const RunRecord* first = nullptr;
  for (const size_t index : cell.runs) {
    const RunRecord& run = runs[index];
    if (run.state != "finished") continue;  // a missing point's keys may be incomplete
    if (first == nullptr) first = &run;
    for (const auto* side : {&run, first}) {
      const RunRecord& other = side == &run ? *first : run;
      for (const auto& [key, value] : side->keys) {
        const auto found = other.keys.find(key);
        if (!is_neutral(key) && (found == other.keys.end() || !same_value(found->second, value))) mixed.insert(key);
      }
    }
  }
  return mixed;
}

void add_run(TableCell& cell, const RunRecord& run, size_t index, const std::string& metric) {
  cell.runs.push_back(index);
  cell.parameters_total = std::max(cell.parameters_total, run.parameters_total);
  cell.parameters_trainable = std::max(cell.parameters_trainable, run.parameters_trainable);
  cell.estimated_bytes = std::max(cell.estimated_bytes, run.estimated_bytes);
  cell.measured_bytes = std::max(cell.measured_bytes, run.measured_bytes);
  if (run.state != "finished") {
    ++cell.not_counted[run.state];
    return;
  }
  const auto value = result_of(run, metric);
  if (!value)
    ++cell.not_counted["without " + metric];
  else if (!std::isfinite(*value))
    ++cell.not_counted["not finite"];
  else
    cell.values.push_back(*value * table_scale(metric));
}

void summarize(TableCell& cell, const std::vector<RunRecord>& runs) {
  if (!cell.values.empty()) cell.mean = mean(cell.values);
  cell.sd = sample_sd(cell.values);
  std::vector<double> seconds;
  for (const size_t index : cell.runs)
    if (runs[index].state == "finished" && runs[index].seconds > 0) seconds.push_back(runs[index].seconds);
  if (!seconds.empty()) cell.seconds = mean(seconds);
}

class Builder {
 public:
  Builder(const std::string& title, std::vector<RunRecord> runs, const TableSpec& spec) {
    table_.title = title;
    table_.spec = spec;
    fallback_metrics_ = spec.metrics;
    std::set<std::string> seen;
    for (auto& run : runs)
      if (run.path.empty() || seen.insert(run.path).second) table_.runs.push_back(std::move(run));
    for (const RunRecord& run : table_.runs)
      if (fallback_metrics_.empty()) fallback_metrics_ = metrics_of(run, spec);
    if (fallback_metrics_.empty()) fallback_metrics_ = {""};
  }

  Table build() {
    lay_out();
    for (size_t i = 0; i < table_.runs.size(); ++i) {
      for (const TableColumn& column : columns_of(table_.runs[i])) {
        auto& cell = cell_of(table_.runs[i], column);
        if (!cell) cell.emplace();
        add_run(*cell, table_.runs[i], i, column.metric);
      }
    }
    for_each_cell([&](TableCell& cell, const std::string&) { summarize(cell, table_.runs); });
    add_paper();
    for (size_t column = 0; column < table_.columns.size(); ++column) {
      mark_best(column);
      compare(column);
    }
    add_notes();
    return std::move(table_);
  }

 private:
  std::vector<TableColumn> columns_of(const RunRecord& run) const {
    const auto own = metrics_of(run, table_.spec);
    std::vector<TableColumn> columns;
    for (const std::string& metric : own.empty() ? fallback_metrics_ : own)
      columns.push_back({values_of(run.keys, table_.spec.columns), metric});
    return columns;
  }

  void lay_out() {
    for (const RunRecord& run : table_.runs) {
      table_.rows.push_back(values_of(run.keys, table_.spec.rows));
      for (TableColumn& column : columns_of(run)) table_.columns.push_back(std::move(column));
    }
    for (const PaperValue& paper : table_.spec.paper) {
      if (!table_.spec.show_all_of_paper) break;
      table_.rows.push_back(values_of(paper.keys, table_.spec.rows));
      const Keys keys = values_of(paper.keys, table_.spec.columns);
      const auto same_keys = std::find_if(table_.columns.begin(), table_.columns.end(),
                                          [&](const TableColumn& c) { return c.keys == keys; });
      table_.columns.push_back(
          {keys, same_keys == table_.columns.end() ? fallback_metrics_.front() : same_keys->metric});
    }
    auto& rows = table_.rows;
    std::sort(rows.begin(), rows.end(), keys_before);
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    auto& columns = table_.columns;
    std::sort(columns.begin(), columns.end(), column_before);
    columns.erase(std::unique(columns.begin(), columns.end(), same_column), columns.end());
    table_.cells.assign(rows.size(), std::vector<std::optional<TableCell>>(columns.size()));
  }

  size_t row_index(const Keys& keys) const {
    return static_cast<size_t>(std::find(table_.rows.begin(), table_.rows.end(), keys) - table_.rows.begin());
  }

  std::optional<TableCell>& cell_of(const RunRecord& run, const TableColumn& column) {
    const auto at = std::find_if(table_.columns.begin(), table_.columns.end(),
                                 [&](const TableColumn& c) { return same_column(c, column); });
    return table_
        .cells[row_index(values_of(run.keys, table_.spec.rows))][static_cast<size_t>(at - table_.columns.begin())];
  }

  template <class Visitor>
  void for_each_cell(Visitor visit) {
    for (auto& row : table_.cells)
      for (size_t column = 0; column < row.size(); ++column)
        if (row[column]) visit(*row[column], table_.columns[column].metric);
  }

  /// Of several printed values that fit a cell, the one that names most keys.
  void add_paper() {
    for (const PaperValue& paper : table_.spec.paper) {
      bool is_shown = false;
      for_each_cell([&](TableCell& cell, const std::string& metric) {
        if (!paper.metric.empty() && paper.metric != metric) return;
        if (cell.runs.empty() || !matches(table_.runs[cell.runs.front()].keys, paper.keys)) return;
        is_shown = true;
        if (!cell.paper || cell.paper->keys.size() < paper.keys.size()) cell.paper = paper;
      });
      if (!is_shown && table_.spec.show_all_of_paper) {
        const Keys keys = values_of(paper.keys, table_.spec.columns);
        for (size_t column = 0; column < table_.columns.size(); ++column) {
          auto& cell = table_.cells[row_index(values_of(paper.keys, table_.spec.rows))][column];
          if (cell || table_.columns[column].keys != keys) continue;
          cell.emplace().paper = paper;
          cell->not_counted["missing"] = 1;
        }
      }
    }
    for_each_cell([](TableCell& cell, const std::string&) {
      if (cell.paper && cell.paper->note.empty() && cell.mean) cell.difference = *cell.mean - cell.paper->value;
    });
  }

  bool larger_is_better(size_t column) const {
    const std::string& best = table_.spec.best;
    return best.empty() ? !smaller_is_better(table_.columns[column].metric) : best == "max";
  }

  /// Equal means share their rank. Where there is only one mean there is no race.
  void mark_best(size_t column) {
    std::vector<double> means;
    for (const auto& row : table_.cells)
      if (row[column] && row[column]->mean) means.push_back(*row[column]->mean);
    std::sort(means.begin(), means.end());
    means.erase(std::unique(means.begin(), means.end()), means.end());
    if (larger_is_better(column)) std::reverse(means.begin(), means.end());
    if (means.size() < 2) return;
    for (auto& row : table_.cells) {
      if (!row[column] || !row[column]->mean) continue;
      row[column]->is_best = *row[column]->mean == means[0];
      row[column]->is_second = *row[column]->mean == means[1];
    }
  }

  void compare(size_t column) {
    if (table_.spec.compare_to.empty()) return;
    for (auto& row : table_.cells) {
      auto& cell = row[column];
      if (!cell || cell->runs.empty()) continue;
      cell->is_reference = matches(table_.runs[cell->runs.front()].keys, table_.spec.compare_to);
    }
    for (size_t row = 0; row < table_.rows.size(); ++row) {
      auto& cell = table_.cells[row][column];
      const TableCell* reference = reference_cell(table_, row, column);
      if (!cell || cell->is_reference || reference == nullptr) continue;
      const auto test = welch_test(cell->values, reference->values);
      if (test) cell->p = test->p;
    }
  }

  void add_notes() {
    for (size_t row = 0; row < table_.rows.size(); ++row) {
      for (const auto& cell : table_.cells[row]) {
        if (!cell) continue;
        const auto mixed = mixed_keys(table_.runs, *cell);
        if (!mixed.empty())
          table_.notes.push_back(fmt::format("The runs of {} differ in more than their seed: {}.",
                                             setting_name(table_.spec.rows, table_.rows[row]),
                                             join({mixed.begin(), mixed.end()}, ", ")));
      }
    }
    add_means();
    for (auto& note : study_notes(table_)) table_.notes.push_back(std::move(note));
    std::vector<std::string> missing;
    for (const RunRecord& run : table_.runs) {
      if (run.state == "finished") continue;
      if (run.state == "missing" && run.reason.empty() && run.path.empty()) {
        missing.push_back(fmt::format("{}, seed {}", full_name(run), run.seed));
        continue;
      }
      table_.notes.push_back(fmt::format(
          "Not counted: {}, seed {}: {}{}{}{}.", setting_name(table_.spec.rows, values_of(run.keys, table_.spec.rows)),
          run.seed, run.state, run.step > 0 ? fmt::format(" at step {}", with_thousands(run.step)) : "",
          run.reason.empty() ? "" : ", " + run.reason, run.path.empty() ? "" : " (" + run.path + ")"));
    }
    if (!missing.empty())
      table_.notes.push_back(
          fmt::format("Missing, {} of {} runs: {}.", missing.size(), table_.runs.size(), join(missing, "; ")));
  }

  std::string full_name(const RunRecord& run) const {
    std::string name = setting_name(table_.spec.rows, values_of(run.keys, table_.spec.rows));
    const auto columns = values_of(run.keys, table_.spec.columns);
    return columns.empty() ? name : setting_name(table_.spec.columns, columns) + ", " + name;
  }

  /// Over several metrics: the mean of a row, and in how many it is at or above the reference, as the paper counts tasks
  /// won.
  void add_means() {
    const auto& metrics = table_.spec.metrics;
    // Only shares are of one unit.
    if (metrics.size() < 2 ||
        !std::all_of(metrics.begin(), metrics.end(), [](const auto& m) { return is_fraction(m); }))
      return;
    for (size_t row = 0; row < table_.rows.size(); ++row) {
      int won = 0, both = 0;
      std::vector<double> means;
      for (size_t column = 0; column < table_.columns.size(); ++column) {
        const auto& cell = table_.cells[row][column];
        if (!cell || !cell->mean) continue;
        means.push_back(*cell->mean);
        const TableCell* reference = reference_cell(table_, row, column);
        if (reference == nullptr || !reference->mean || cell->is_reference) continue;
        ++both;
        won += larger_is_better(column) ? *cell->mean >= *reference->mean : *cell->mean <= *reference->mean;
      }
      if (means.empty()) continue;
      std::string note = fmt::format("{}: mean over {} columns {:.2f}",
                                     setting_name(table_.spec.rows, table_.rows[row]), means.size(), mean(means));
      if (both > 0)
        note += fmt::format(", at the reference or better in {} of {} ({:.1f} %)", won, both, 100.0 * won / both);
      table_.notes.push_back(note + ".");
    }
  }

  Table table_;
  std::vector<std::string> fallback_metrics_;  ///< of a missing run, whose recipe may not be there either
};

}  // namespace

std::string setting_name(const std::vector<std::string>& names, const std::vector<std::string>& values) {
  std::vector<std::string> words;
  for (size_t i = 0; i < names.size(); ++i) {
    if (values[i] == kAbsent) continue;
    words.push_back(i == 0 ? values[i] : names[i].substr(names[i].rfind('.') + 1) + " " + values[i]);
  }
  return words.empty() ? "all" : join(words, ", ");
}

std::vector<std::string> metrics_of(const RunRecord& run, const TableSpec& spec) {
  if (!spec.metrics.empty()) return spec.metrics;
  const auto own = run.keys.find("report.metric");
  if (own == run.keys.end() || own->second.empty()) return {};
  std::vector<std::string> metrics;
  std::string list = own->second;  // a list in its flow form, or one name
  std::erase_if(list, [](char c) { return c == '[' || c == ']'; });
  for (const auto& metric : split(list, ',')) metrics.push_back(trim(metric));
  return metrics;
}

std::string metric_of(const RunRecord& run, const TableSpec& spec) {
  const auto metrics = metrics_of(run, spec);
  return metrics.empty() ? "" : metrics.front();
}

Table make_table(const std::string& title, std::vector<RunRecord> runs, const TableSpec& spec) {
  if (!spec.best.empty() && spec.best != "max" && spec.best != "min")
    throw UserError("'report.best' is '" + spec.best + "'", "it is max or min");
  for (const RunRecord& run : runs)
    if (run.state == "finished" && metric_of(run, spec).empty())
      throw UserError("no metric to report for " + run.path, "name one: report.metric=test/f1");
  return Builder(title, std::move(runs), spec).build();
}

}  // namespace sst::report
