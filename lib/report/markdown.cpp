#include <fmt/format.h>

#include "report/metric_words.hpp"
#include "report/pages.hpp"
#include "report/table_grid.hpp"

namespace sst::report {
namespace {

std::string list(const std::vector<std::string>& notes) {
  std::string text;
  for (const auto& note : notes) text += "- " + note + "\n";
  return text;
}

Grid all_results(const RunRecord& run) {
  Grid grid = {{"metric", "value"}, {}, 1};
  for (const auto& [name, value] : run.results)
    grid.body.push_back(
        {{metric_label(name)}, {fmt::format("{:.{}f}", value * table_scale(name), table_decimals(name))}});
  return grid;
}

}  // namespace

std::string run_markdown(const RunRecord& run, const Table& table) {
  std::string text = "# " + run_title(run) + "\n\n";
  text += markdown_table(result_grid(table, /*with_costs=*/false)) + "\n";
  if (!run.results.empty()) text += "## Results\n\n" + markdown_table(all_results(run)) + "\n";
  Grid facts = {{"", ""}, {}, 2};
  for (const auto& [name, value] : run_facts(run)) facts.body.push_back({{name}, {value}});
  text += "## Run\n\n" + markdown_table(facts);
  return text + "\n" + list(footnotes(table));
}

std::string table_markdown(const Table& table) {
  std::string text = "# " + table.title + "\n\n" + markdown_table(result_grid(table, !is_wide(table))) + "\n";
  if (is_wide(table)) {
    const Grid costs = cost_grid(table);
    if (!costs.body.empty()) text += "## Cost\n\n" + markdown_table(costs) + "\n";
  }
  return text + list(footnotes(table));
}

}  // namespace sst::report
