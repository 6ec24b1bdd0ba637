#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "recipe/diagnostics.hpp"
#include "recipe/recipe.hpp"
#include "recipe/schema.hpp"

namespace sst::recipe {

/// `report`: which runs stand in which cell of the table, and what is shown.
struct ReportOptions {
  std::optional<OneOrMany<std::string>> rows, columns, metric;
  std::optional<std::string> best;
  std::optional<Node> compare_to;
  std::vector<std::string> formats = {"md", "html", "json"};
  std::optional<std::string> paper_table;
  std::optional<Node> paper_values;

  template <class Field>
  void describe(Field& field) {
    field(rows, "rows", anything(), "recipe keys that name the rows");
    field(columns, "columns", anything(), "recipe keys that name the columns");
    field(metric, "metric", anything(),
          "what the cells show, such as test/f1, a column for each of several; beside valid/… and test/…: run/hours, "
          "run/svd_hours, run/memory_mib, run/state_mib, run/svd_mib, and zero_shot/… where the run was scored by "
          "lm-evaluation-harness; default: the task's own");
    field(best, "best", one_of({"min", "max"}), "which end is better; default: by the metric");
    field(compare_to, "compare_to", anything(), "the cell the others are tested against: {method.name: full}");
    field(formats, "formats", one_of({"md", "html", "json", "csv", "tex"}), "files to write");
    field(paper_table, "paper.table", anything(), "the printed table the values come from, such as \"SST, Table 5\"");
    field(paper_values, "paper.values", anything(),
          "printed values in the table's unit: [{method.name: sst, value: 22.28}], and where they are printed sd, "
          "seeds, a "
          "note (such a value is not compared with ours), and the metric where the table has several");
  }
};

/// A printed value and the setting it belongs to: keys with their values as canonical YAML text, which is
/// what Recipe::text() gives for a run.
struct PaperValue {
  std::map<std::string, std::string> setting;
  double value = 0;
  std::optional<double> sd, seeds;
  std::string note = {};
  std::string metric = {};  ///< empty: any
};

/// `report`, read.
struct ReportPlan {
  std::vector<std::string> rows, columns, metrics;  ///< no metrics: the task's own
  std::optional<std::string> best;
  std::map<std::string, std::string> compare_to = {};  ///< empty: no comparison
  std::vector<std::string> formats;
  std::optional<std::string> paper_table;
  std::vector<PaperValue> paper_values;
};

/// Problems: E-unknown-key, E-report.
ReportPlan read_report(const Recipe& recipe, const Schema& schema, Diagnostics& diagnostics);

/// Checks the report's own grammar; load() does it for every recipe.
void check_report(const Recipe& recipe, const Schema& schema, Diagnostics& diagnostics);

/// True when a run with this recipe is the one the setting describes: every key has that value.
bool matches(const std::map<std::string, std::string>& setting, const Recipe& recipe);

}  // namespace sst::recipe
