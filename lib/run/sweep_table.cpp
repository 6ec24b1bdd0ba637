#include "run/sweep_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "recipe/load.hpp"
#include "recipe/report_options.hpp"
#include "run/recipe_schema.hpp"
#include "run/run_folder.hpp"
#include "run/table_spec.hpp"
#include "run/train.hpp"

namespace sst::run {
namespace {

namespace fs = std::filesystem;

/// Equal for recipes of the same result.
std::string identity_of(const recipe::Recipe& recipe) {
  std::string identity = recipe.hash() + "-s" + recipe.text("seed");
  for (const auto& setting : recipe.settings())
    if (recipe::is_stop_condition(setting.path)) identity += " " + setting.path + "=" + recipe.text(setting.path);
  return identity;
}

bool is_finished(const fs::path& run_dir) { return path_exists(run_dir / "DONE"); }

/// Keys that decide the result and differ: "train.max_steps is 2, not 40000".
std::vector<std::string> decisive_differences(const recipe::Recipe& ours, const recipe::Recipe& wanted) {
  std::vector<std::string> found;
  for (const auto& difference : ours.differences(wanted))
    if (recipe::in_hash(difference.key) || recipe::is_stop_condition(difference.key) || difference.key == "seed")
      found.push_back(fmt::format("{} is {}, not {}", difference.key,
                                  difference.ours.empty() ? "absent" : difference.ours,
                                  difference.theirs.empty() ? "given" : difference.theirs));
  return found;
}

/// The printed value for a point of a listed recipe: of several that fit, the one that names most keys.
std::optional<recipe::PaperValue> printed_value(const recipe::Recipe& point, const std::string& paper_table) {
  recipe::Diagnostics diagnostics;
  const auto plan = recipe::read_report(point, recipe_schema(), diagnostics);
  const std::string table = plan.paper_table.value_or("");
  if (table != paper_table && !starts_with(table, paper_table + ",")) return std::nullopt;
  std::optional<recipe::PaperValue> best;
  for (const auto& value : plan.paper_values)
    if (recipe::matches(value.setting, point) && (!best || best->setting.size() < value.setting.size())) best = value;
  return best;
}

}  // namespace

void RunIndex::add(const fs::path& run_dir) {
  const fs::path file = run_dir / "recipe.yaml";
  if (!path_exists(file)) return;
  recipe::Diagnostics diagnostics;
  auto recipe = recipe::load_text(read_file(file), file.string(), {}, recipe_schema(), diagnostics);
  if (diagnostics.has_errors()) return;  // written by another version of the program
  auto& same = entries_[identity_of(recipe)];
  const auto unfinished = [](const Entry& entry) { return !is_finished(entry.folder); };
  const auto at = is_finished(run_dir) ? std::find_if(same.begin(), same.end(), unfinished) : same.end();
  same.insert(at, {run_dir, std::move(recipe)});
}

void RunIndex::add_all(const fs::path& out_root) {
  if (!is_folder(out_root)) return;
  std::vector<fs::path> runs;
  for (const auto& name : fs::directory_iterator(out_root)) {
    if (!name.is_directory()) continue;
    for (const auto& run : fs::directory_iterator(name))
      if (path_exists(run.path() / "run.json") && !RunFolder::is_aside(run.path())) runs.push_back(run.path());
  }
  std::sort(runs.begin(), runs.end());
  for (const auto& run : runs) add(run);
}

std::optional<fs::path> RunIndex::find(const recipe::Recipe& recipe) const {
  const auto found = entries_.find(identity_of(recipe));
  return found == entries_.end() ? std::nullopt : std::optional(found->second.front().folder);
}

std::vector<std::string> RunIndex::strangers(const std::string& paper_table,
                                             const std::vector<recipe::SweepPoint>& points) const {
  std::vector<std::string> lines;
  const auto is_of_table = [&](const recipe::Recipe& recipe) {
    const auto table = recipe.value<std::optional<std::string>>("report.paper.table").value_or("");
    return table == paper_table || starts_with(table, paper_table + ",");
  };
  std::map<std::string, const recipe::Recipe*> known;
  for (const auto& point : points) known[identity_of(point.recipe)] = &point.recipe;
  for (const auto& [identity, entries] : entries_) {
    if (known.count(identity) > 0) continue;
    for (const Entry& entry : entries) {
      if (!is_of_table(entry.recipe)) continue;
      std::vector<std::string> nearest;
      for (const auto& [id, point] : known)
        if (auto found = decisive_differences(entry.recipe, *point); nearest.empty() || found.size() < nearest.size())
          nearest = std::move(found);
      lines.push_back(fmt::format("{}: {}", entry.folder.string(), join(nearest, ", ")));
    }
  }
  return lines;
}

std::vector<fs::path> out_roots(const std::vector<recipe::SweepPoint>& points) {
  std::vector<fs::path> roots;
  for (const auto& point : points)
    if (const auto root = runs_folder(point.recipe).parent_path();
        std::find(roots.begin(), roots.end(), root) == roots.end())
      roots.push_back(root);
  return roots;
}

std::vector<report::RunRecord> records_of(const std::vector<recipe::SweepPoint>& points, const RunIndex& index) {
  std::vector<report::RunRecord> records;
  for (const auto& point : points) {
    const auto found = index.find(point.recipe);
    report::RunRecord record = found ? report::read_run(*found) : report::RunRecord{};
    record.keys = report::flat_recipe(point.recipe.to_yaml());
    record.seed = point.recipe.value<int64_t>("seed");
    records.push_back(std::move(record));
  }
  return records;
}

report::TableSpec sweep_table_spec(const recipe::Recipe& recipe, const std::vector<recipe::SweepPoint>& points) {
  report::TableSpec spec = table_spec(recipe);
  if (!recipe::is_collection(recipe) || !spec.paper.empty() || spec.paper_table.empty()) return spec;
  for (const auto& point : points) {
    const auto printed = printed_value(point.recipe, spec.paper_table);
    if (!printed) continue;
    report::PaperValue value{.keys = {},
                             .value = printed->value,
                             .sd = printed->sd,
                             .seeds = printed->seeds,
                             .note = printed->note,
                             .metric = printed->metric};
    const auto keys = report::flat_recipe(point.recipe.to_yaml());
    for (const auto* names : {&spec.rows, &spec.columns})
      for (const std::string& key : *names)
        if (const auto found = keys.find(key); found != keys.end()) value.keys.insert(*found);
    spec.paper.push_back(std::move(value));
  }
  return spec;
}

}  // namespace sst::run
