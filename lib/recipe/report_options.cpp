#include "recipe/report_options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"
#include "recipe/check.hpp"
#include "recipe/synonyms.hpp"

namespace sst::recipe {
namespace {

class ReportReader {
 public:
  ReportReader(const Recipe& recipe, const Schema& schema, Diagnostics& diagnostics)
      : recipe_(recipe), schema_(schema), diagnostics_(diagnostics) {}

  ReportPlan read() {
    const auto options = recipe_.read<ReportOptions>("report");
    ReportPlan plan;
    if (options.rows) plan.rows = options.rows->values;
    if (options.columns) plan.columns = options.columns->values;
    if (options.metric) plan.metrics = options.metric->values;
    plan.best = options.best;
    plan.formats = options.formats;
    plan.paper_table = options.paper_table;
    check_keys("report.rows");
    check_keys("report.columns");
    for (const std::string& metric : plan.metrics) check_metric(metric, recipe_.place("report.metric"));
    if (options.compare_to) plan.compare_to = read_setting(*options.compare_to, "report.compare_to");
    if (options.paper_values) plan.paper_values = read_values(*options.paper_values);
    return plan;
  }

 private:
  void fail(const Place& place, const std::string& message, const std::string& hint = {}) {
    diagnostics_.error("E-report", place, message, hint);
  }

  bool is_key(const std::string& name, const Place& place) {
    if (schema_.find(name)) return true;
    diagnostics_.error("E-unknown-key", place, fmt::format("the report names the unknown key '{}'", name),
                       hint_for_unknown_key(name, schema_, true));
    return false;
  }

  void check_keys(const std::string& path) {
    const Setting* setting = recipe_.find(path);
    if (!setting || !setting->given) return;
    for (const Node& item : setting->value.children) is_key(item.text, item.place);
  }

  void check_metric(const std::string& metric, const Place& place) {
    const auto parts = split(metric, '/');
    static const std::vector<std::string> kSplits = {"train", "valid", "test", "run", "zero_shot"};
    const bool good =
        parts.size() == 2 && !parts[1].empty() && std::find(kSplits.begin(), kSplits.end(), parts[0]) != kSplits.end();
    if (!good)
      fail(place, fmt::format("'report.metric' is '{}' but must name a split and a metric", metric),
           "for example test/f1");
  }

  std::map<std::string, std::string> read_setting(const Node& node, const std::string& name) {
    std::map<std::string, std::string> setting;
    if (!node.is_mapping()) {
      fail(node.place, fmt::format("'{}' is {} but must be a mapping of keys", name, shown(node)),
           "for example {method.name: full}");
      return setting;
    }
    for (const Node& child : node.children)
      if (is_key(child.key, child.key_place)) setting[child.key] = canonical_text(*schema_.find(child.key), child);
    return setting;
  }

  std::optional<double> read_number(const Node& row, const std::string& name) {
    const Node* node = row.find(name);
    if (!node) return std::nullopt;
    const auto parsed = node->is_scalar() ? parse_number(node->text) : Parsed<double>{};
    if (!parsed.value)
      fail(node->place, fmt::format("'{}' is {} but must be a number", name, shown(*node)), parsed.hint);
    return parsed.value;
  }

  std::string read_text(const Node& row, const std::string& name) {
    const Node* node = row.find(name);
    if (!node) return {};
    if (!node->is_scalar()) fail(node->place, fmt::format("'{}' is {} but must be text", name, shown(*node)));
    return node->text;
  }

  std::vector<PaperValue> read_values(const Node& list) {
    std::vector<PaperValue> values;
    if (!list.is_list()) {
      fail(list.place, fmt::format("'report.paper.values' is {} but must be a list of mappings", shown(list)),
           "for example [{method.name: sst, value: 22.28}]");
      return values;
    }
    for (const Node& row : list.children) {
      if (!row.is_mapping() || !row.find("value")) {
        fail(row.place, "a row of 'report.paper.values' must be a mapping with a 'value'",
             "for example {method.name: sst, value: 22.28}");
        continue;
      }
      Node keys = row;
      for (const char* own : {"value", "sd", "seeds", "note", "metric"}) keys.erase(own);
      PaperValue value{.setting = read_setting(keys, "report.paper.values"),
                       .sd = read_number(row, "sd"),
                       .seeds = read_number(row, "seeds"),
                       .note = read_text(row, "note"),
                       .metric = read_text(row, "metric")};
      if (!value.metric.empty()) check_metric(value.metric, row.find("metric")->place);
      const auto number = read_number(row, "value");
      if (!number) continue;
      value.value = *number;
      values.push_back(std::move(value));
    }
    return values;
  }

  const Recipe& recipe_;
  const Schema& schema_;
  Diagnostics& diagnostics_;
};

}  // namespace

ReportPlan read_report(const Recipe& recipe, const Schema& schema, Diagnostics& diagnostics) {
  return ReportReader(recipe, schema, diagnostics).read();
}

void check_report(const Recipe& recipe, const Schema& schema, Diagnostics& diagnostics) {
  if (schema.is_section("report") && recipe.given("report")) read_report(recipe, schema, diagnostics);
}

bool matches(const std::map<std::string, std::string>& setting, const Recipe& recipe) {
  return std::all_of(setting.begin(), setting.end(),
                     [&](const auto& entry) { return recipe.text(entry.first) == entry.second; });
}

}  // namespace sst::recipe
