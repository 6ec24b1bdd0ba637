#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "report/run_record.hpp"

/// Many runs → the numbers of a printed table.
namespace sst::report {

/// What stands in a row or column for a key that a run lacks.
inline constexpr const char* kAbsent = "–";

/// A value the paper prints, in the table's unit: {method.name: sst, method.rank: 2, value: 77.5, sd: 0.7}.
struct PaperValue {
  std::map<std::string, std::string> keys = {};
  double value = 0;
  std::optional<double> sd = {}, seeds = {};
  std::string note = {};    ///< such as "NaN loss"; a value with a note is not compared with ours
  std::string metric = {};  ///< empty: whatever the cell shows
};

/// What a recipe's `report` section asks for.
struct TableSpec {
  std::vector<std::string> rows = {"method.name"};  ///< recipe keys
  std::vector<std::string> columns = {};
  std::vector<std::string> metrics = {};               ///< "test/f1"; none: each run's own report.metric
  std::string best = {};                               ///< "max", "min"; empty: by the metric
  std::map<std::string, std::string> compare_to = {};  ///< the reference of Welch's test: {"method.name", "full"}
  std::vector<std::string> formats = {"md", "html", "json"};  ///< also "csv" and "tex"
  std::string paper_table = {};                               ///< "SST, Table 5"
  std::vector<PaperValue> paper = {};
  /// A printed value without any run becomes a cell that says "missing"; otherwise it is not shown.
  bool show_all_of_paper = false;
};

/// The runs that share their row and column keys: the seeds of one setting.
struct TableCell {
  std::vector<size_t> runs = {};                ///< indices into Table::runs
  std::vector<double> values = {};              ///< of the finished ones, in the table's unit
  std::optional<double> mean = {}, sd = {};     ///< sd: sample standard deviation, from two values on
  std::map<std::string, int> not_counted = {};  ///< why the other runs have no value → how many: "diverged" → 1
  std::optional<PaperValue> paper = {};
  std::optional<double> difference = {};  ///< mean − paper
  bool is_reference = false;
  std::optional<double> p = {};  ///< Welch's t against the reference of its column
  bool is_best = false, is_second = false;
  int64_t parameters_total = 0, parameters_trainable = 0;  ///< of these five, 0: not known
  double estimated_bytes = 0, measured_bytes = 0;          ///< the largest of the runs
  double seconds = 0;                                      ///< mean per run
};

struct TableColumn {
  std::vector<std::string> keys = {};  ///< values of TableSpec::columns
  std::string metric = {};
};

struct Table {
  std::string title = {};
  TableSpec spec;
  std::vector<RunRecord> runs = {};
  std::vector<std::vector<std::string>> rows = {};  ///< values of TableSpec::rows, "–" where a run lacks the key
  std::vector<TableColumn> columns = {};
  std::vector<std::vector<std::optional<TableCell>>> cells = {};  ///< [row][column]; nothing: no run was asked for
  std::vector<std::string> notes = {};                            ///< what a careful reader must know, as sentences
};

/// Rows and columns are sorted, numbers by size. A run counts only when it is finished and its value finite;
/// every other one is shown by its state. Runs given twice (the same path) count once. Runs of one cell that
/// differ in more than their seed are averaged all the same, but a note names the keys.
///   throws  UserError when a run has no metric to show or `best` is no word it knows
Table make_table(const std::string& title, std::vector<RunRecord> runs, const TableSpec& spec);

/// The words for a row: "sst, rank 2": the first key's value, then the others with the end of their key; what
/// a row lacks is not said. "all" when nothing is left.
std::string setting_name(const std::vector<std::string>& names, const std::vector<std::string>& values);

/// The metrics of a run under this spec, and the first of them; "" where there is none.
std::vector<std::string> metrics_of(const RunRecord& run, const TableSpec& spec);
std::string metric_of(const RunRecord& run, const TableSpec& spec);

}  // namespace sst::report
