#include <cmath>
#include <nlohmann/json.hpp>

#include "report/metric_words.hpp"
#include "report/pages.hpp"

namespace sst::report {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
Json number(const std::optional<double>& value) { return value ? number(*value) : Json(nullptr); }

Json numbers(const std::map<std::string, double>& map) {
  Json json = Json::object();
  for (const auto& [name, value] : map) json[name] = number(value);
  return json;
}

Json json_of(const RunRecord& run) {
  return {{"path", run.path},
          {"seed", run.seed},
          {"state", run.state},
          {"reason", run.reason},
          {"step", run.step},
          {"results", numbers(run.results)},
          {"signatures", run.signatures},
          {"parameters", {{"total", run.parameters_total}, {"trainable", run.parameters_trainable}}},
          {"memory", {{"estimated_bytes", run.estimated_bytes}, {"measured_bytes", run.measured_bytes}}},
          {"seconds", run.seconds},
          {"time_split", numbers(run.time_split)},
          {"version", run.version},
          {"recipe", run.keys}};
}

Json json_of(const Table& table, size_t row, size_t column) {
  const TableCell& cell = *table.cells[row][column];
  const auto& [column_keys, metric] = table.columns[column];
  Json keys = Json::object();
  for (size_t i = 0; i < table.spec.rows.size(); ++i) keys[table.spec.rows[i]] = table.rows[row][i];
  for (size_t i = 0; i < table.spec.columns.size(); ++i) keys[table.spec.columns[i]] = column_keys[i];
  Json paths = Json::array();
  for (const size_t index : cell.runs) paths.push_back(table.runs[index].path);
  Json json = {{"keys", keys},
               {"metric", metric},
               {"unit", table_unit(metric)},
               {"mean", number(cell.mean)},
               {"sd", number(cell.sd)},
               {"n", cell.values.size()},
               {"values", cell.values},
               {"not_counted", cell.not_counted},
               {"runs", paths},
               {"best", cell.is_best},
               {"runner_up", cell.is_second},
               {"p", number(cell.p)},
               {"parameters", {{"total", cell.parameters_total}, {"trainable", cell.parameters_trainable}}},
               {"memory", {{"estimated_bytes", cell.estimated_bytes}, {"measured_bytes", cell.measured_bytes}}},
               {"seconds_per_run", cell.seconds}};
  if (cell.paper)
    json["paper"] = {
        {"value", cell.paper->value}, {"sd", number(cell.paper->sd)}, {"difference", number(cell.difference)}};
  return json;
}

Json cells_of(const Table& table) {
  Json cells = Json::array();
  for (size_t row = 0; row < table.rows.size(); ++row)
    for (size_t column = 0; column < table.columns.size(); ++column)
      if (table.cells[row][column]) cells.push_back(json_of(table, row, column));
  return cells;
}

std::string text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string run_json(const RunRecord& run, const Table& table) {
  Json json = {{"v", 1}, {"kind", "run"}};
  json.update(json_of(run));
  json["cells"] = cells_of(table);
  return text(json);
}

std::string table_json(const Table& table) {
  Json runs = Json::array();
  for (const RunRecord& run : table.runs) runs.push_back(json_of(run));
  return text({{"v", 1},
               {"kind", "table"},
               {"title", table.title},
               {"rows", table.spec.rows},
               {"columns", table.spec.columns},
               {"compare_to", table.spec.compare_to},
               {"paper", table.spec.paper_table},
               {"cells", cells_of(table)},
               {"notes", table.notes},
               {"runs", runs}});
}

}  // namespace sst::report
