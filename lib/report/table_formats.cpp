#include <fmt/format.h>

#include <algorithm>

#include "core/terminal.hpp"
#include "core/text.hpp"
#include "report/metric_words.hpp"
#include "report/table_grid.hpp"

namespace sst::report {
namespace {

/// What stands behind a cell where bold and underline cannot be shown; as wide in every cell, so that the
/// numbers of a column stay under one another.
std::string mark_of(Emphasis emphasis) {
  return emphasis == Emphasis::kBest ? " *" : emphasis == Emphasis::kSecond ? " +" : "  ";
}

/// Cells that a column takes: its numbers, then its notes.
struct Layout {
  size_t text = 0, note = 0;
  bool has_marks = false;
  size_t width() const { return text + note; }
};

Layout layout_of(const Grid& grid, size_t column, bool color) {
  Layout layout;
  for (const auto& line : grid.body) {
    const GridCell& cell = line[column];
    layout.text = std::max(layout.text, display_width(cell.text));
    if (!cell.note.empty()) layout.note = std::max(layout.note, 2 + display_width(cell.note));
    const bool is_marked = cell.emphasis == Emphasis::kBest || cell.emphasis == Emphasis::kSecond;
    layout.has_marks = layout.has_marks || (is_marked && !color);
  }
  if (layout.has_marks) layout.text += 2;
  const size_t head = display_width(grid.head[column]);
  if (head > layout.width()) layout.text = head - layout.note;
  return layout;
}

std::string without_trailing_blanks(const std::string& line) { return line.substr(0, line.find_last_not_of(' ') + 1); }

std::string styled(const std::string& text, Emphasis emphasis, bool color) {
  if (!color) return text;
  switch (emphasis) {
    case Emphasis::kBest:
      return "\x1b[1m" + text + "\x1b[0m";
    case Emphasis::kSecond:
      return "\x1b[4m" + text + "\x1b[0m";
    case Emphasis::kMuted:
      return "\x1b[2m" + text + "\x1b[0m";
    case Emphasis::kBad:
      return "\x1b[31m" + text + "\x1b[0m";
    case Emphasis::kNone:
      break;
  }
  return text;
}

std::string replaced(const std::string& text, const std::vector<std::pair<char, std::string>>& table) {
  std::string out;
  for (const char c : text) {
    const auto found = std::find_if(table.begin(), table.end(), [&](const auto& entry) { return entry.first == c; });
    out += found == table.end() ? std::string(1, c) : found->second;
  }
  return out;
}

std::string markdown_text(const std::string& text) {
  return replaced(text,
                  {{'|', "\\|"}, {'*', "\\*"}, {'_', "\\_"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\n', " "}, {'`', "\\`"}});
}

std::string latex_text(const std::string& text) {
  std::string out = replaced(text, {{'\\', "\\textbackslash{}"},
                                    {'%', "\\%"},
                                    {'&', "\\&"},
                                    {'_', "\\_"},
                                    {'#', "\\#"},
                                    {'$', "\\$"},
                                    {'{', "\\{"},
                                    {'}', "\\}"},
                                    {'~', "\\textasciitilde{}"},
                                    {'^', "\\textasciicircum{}"},
                                    {'<', "$<$"},
                                    {'>', "$>$"},
                                    {'\n', " "}});
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"±", "$\\pm$"}, {"–", "--"}, {"−", "$-$"}, {"·", "$\\cdot$"}})
    for (size_t at = out.find(from); at != std::string::npos; at = out.find(from, at + to.size()))
      out.replace(at, from.size(), to);
  return out;
}

std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  return "\"" + replaced(text, {{'"', "\"\""}}) + "\"";
}

template <class Number>
std::string csv_number(const std::optional<Number>& value) {
  return value ? fmt::format("{}", *value) : "";
}

}  // namespace

std::string text_table(const Grid& grid, bool color) {
  std::vector<Layout> layout;
  for (size_t i = 0; i < grid.head.size(); ++i) layout.push_back(layout_of(grid, i, color));
  std::string out, rule;
  for (size_t i = 0; i < layout.size(); ++i) {
    const std::string gap = i > 0 ? "  " : "";
    const size_t width = layout[i].width();
    out += gap + (i < grid.key_columns ? pad_right(grid.head[i], width) : pad_left(grid.head[i], width));
    rule += gap;
    for (size_t cell = 0; cell < width; ++cell) rule += "─";
  }
  out = without_trailing_blanks(out) + "\n" + rule + "\n";
  for (const auto& cells : grid.body) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      const std::string mark = layout[i].has_marks ? mark_of(cells[i].emphasis) : "";
      const std::string padding(layout[i].text - display_width(cells[i].text + mark), ' ');
      const std::string shown = styled(cells[i].text + mark, cells[i].emphasis, color);
      line += (i > 0 ? "  " : "") + (i < grid.key_columns ? shown + padding : padding + shown);
      if (layout[i].note > 0) line += pad_right(cells[i].note.empty() ? "" : "  " + cells[i].note, layout[i].note);
    }
    out += without_trailing_blanks(line) + "\n";
  }
  return out;
}

std::string text_report(const Table& table, bool color, size_t columns) {
  std::string out = text_table(result_grid(table, /*with_costs=*/true), color);
  const bool fits = display_width(split(out, '\n')[1]) <= columns;  // the rule is as wide as the table
  if (is_wide(table) || !fits) {
    out = text_table(result_grid(table, /*with_costs=*/false), color);
    const Grid costs = cost_grid(table);
    if (!costs.body.empty()) out += "\n" + text_table(costs, color);
  }
  out += "\n";
  for (auto note : footnotes(table)) {
    if (const size_t at = note.find("bold, runner-up underlined"); at != std::string::npos && !color)
      note.replace(at, 26, "*, runner-up +");
    out += note + "\n";
  }
  return out;
}

std::string markdown_table(const Grid& grid) {
  std::string out = "|", rule = "|";
  for (size_t i = 0; i < grid.head.size(); ++i) {
    out += " " + markdown_text(grid.head[i]) + " |";
    rule += i < grid.key_columns ? " --- |" : " ---: |";
  }
  out += "\n" + rule + "\n";
  for (const auto& line : grid.body) {
    out += "|";
    for (const GridCell& cell : line) {
      const std::string text = markdown_text(cell.text);
      const bool is_empty = text.empty();
      out += " ";
      if (cell.emphasis == Emphasis::kBest)
        out += "**" + text + "**";
      else if (cell.emphasis == Emphasis::kSecond)
        out += "<u>" + text + "</u>";
      else if (cell.emphasis == Emphasis::kMuted && !is_empty)
        out += "*" + text + "*";
      else
        out += text;
      if (!cell.note.empty()) out += ", " + markdown_text(cell.note);
      out += is_empty ? "|" : " |";
    }
    out += "\n";
  }
  return out;
}

std::string latex_table(const Grid& grid) {
  std::string out = "\\begin{tabular}{";
  for (size_t i = 0; i < grid.head.size(); ++i) out += i < grid.key_columns ? 'l' : 'r';
  out += "}\n\\hline\n";
  const auto line = [&](const auto& cells, auto text) {
    for (size_t i = 0; i < cells.size(); ++i) out += (i > 0 ? " & " : "") + text(cells[i]);
    out += " \\\\\n";
  };
  line(grid.head, latex_text);
  out += "\\hline\n";
  for (const auto& cells : grid.body) {
    line(cells, [](const GridCell& cell) {
      const std::string text = latex_text(cell.text);
      const std::string note = cell.note.empty() ? "" : ", " + latex_text(cell.note);
      if (cell.emphasis == Emphasis::kBest) return "\\textbf{" + text + "}" + note;
      if (cell.emphasis == Emphasis::kSecond) return "\\underline{" + text + "}" + note;
      return text + note;
    });
  }
  return out + "\\hline\n\\end{tabular}\n";
}

std::string csv_table(const Table& table) {
  std::vector<std::string> head = table.spec.rows;
  head.insert(head.end(), table.spec.columns.begin(), table.spec.columns.end());
  for (const char* name : {"metric", "unit", "mean", "sd", "n", "not_counted", "paper", "paper_sd", "difference", "p",
                           "parameters_trainable", "parameters_total", "estimated_bytes", "measured_bytes", "seconds"})
    head.emplace_back(name);
  for (auto& name : head) name = csv_text(name);
  std::string out = join(head, ",") + "\n";
  for (size_t row = 0; row < table.rows.size(); ++row) {
    for (size_t column = 0; column < table.columns.size(); ++column) {
      const auto& cell = table.cells[row][column];
      if (!cell) continue;
      std::vector<std::string> line = table.rows[row];
      const auto& [keys, metric] = table.columns[column];
      line.insert(line.end(), keys.begin(), keys.end());
      std::vector<std::string> states;
      for (const auto& [state, count] : cell->not_counted) states.push_back(fmt::format("{} {}", count, state));
      line.insert(line.end(), {metric, table_unit(metric), csv_number(cell->mean), csv_number(cell->sd),
                               std::to_string(cell->values.size()), join(states, "; ")});
      line.push_back(cell->paper ? fmt::format("{}", cell->paper->value) : "");
      line.push_back(cell->paper ? csv_number(cell->paper->sd) : "");
      line.insert(line.end(),
                  {csv_number(cell->difference), csv_number(cell->p), std::to_string(cell->parameters_trainable),
                   std::to_string(cell->parameters_total), fmt::format("{}", cell->estimated_bytes),
                   fmt::format("{}", cell->measured_bytes), fmt::format("{}", cell->seconds)});
      for (auto& text : line) text = csv_text(text);
      out += join(line, ",") + "\n";
    }
  }
  return out;
}

}  // namespace sst::report
