#pragma once

#include <string>
#include <vector>

#include "report/table.hpp"

/// A table as words, the same in every format; and the formats that need no more than the words.
namespace sst::report {

enum class Emphasis { kNone, kBest, kSecond, kMuted, kBad };

struct GridCell {
  std::string text = {};
  Emphasis emphasis = Emphasis::kNone;
  std::string note = {};  ///< behind the number, without emphasis: "1 diverged"
};

/// The first `key_columns` columns name the row and stand left, the others hold numbers and stand right.
struct Grid {
  std::vector<std::string> head = {};
  std::vector<std::vector<GridCell>> body = {};
  size_t key_columns = 0;
};

/// The results. With one column of results the paper's value, the difference and p follow in the same line,
/// and `with_costs` the sizes and the time; with several columns a muted line "paper" follows each row with
/// printed values.
Grid result_grid(const Table& table, bool with_costs);

/// Sizes and time of each cell (and p, where result_grid has no room for it); no body where nothing is known.
Grid cost_grid(const Table& table);

/// Several columns of results: costs need a grid of their own.
bool is_wide(const Table& table);

/// Sentences under the table: how to read a cell, the paper, the test, versions and total time, and
/// Table::notes.
std::vector<std::string> footnotes(const Table& table);

/// "81.23 ± 0.31 (3)"; "81.23 (1)" with the note "1 diverged"; without any value "missing", "2 failed, 1
/// missing".
GridCell result_cell(const std::optional<TableCell>& cell, const std::string& metric);

/// "test f1 (%)".
std::string metric_label(const std::string& metric);

/// "23,353 (100%)": trainable and its share of all; "" when not known.
std::string parameters_text(int64_t trainable, int64_t total);

/// Aligned columns for a terminal; `color` makes the best bold and the runner-up underlined, otherwise they
/// are marked by "*" and "+" behind the cell.
std::string text_table(const Grid& grid, bool color);
/// The whole table for a terminal of so many columns: costs beside the results where they fit, below them
/// otherwise; then the footnotes.
std::string text_report(const Table& table, bool color, size_t columns);
std::string markdown_table(const Grid& grid);
std::string latex_table(const Grid& grid);
/// One line per cell with the numbers themselves, in the table's unit, which a column names.
std::string csv_table(const Table& table);

}  // namespace sst::report
