#include "report/pages.hpp"

#include <fmt/core.h>

#include <filesystem>

#include "core/file.hpp"
#include "core/log.hpp"
#include "core/terminal.hpp"
#include "core/text.hpp"
#include "recipe/builtin.hpp"
#include "recipe/load.hpp"
#include "recipe/sweep.hpp"
#include "report/table_grid.hpp"
#include "run/recipe_schema.hpp"
#include "run/run_folder.hpp"
#include "run/sweep_table.hpp"
#include "run/table_spec.hpp"
#include "run/train.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

bool is_run(const std::filesystem::path& folder) { return path_exists(folder / "run.json"); }

/// A run directory stands for itself, a folder of them for every run in it.
std::vector<std::filesystem::path> runs_under(const std::vector<std::string>& arguments) {
  std::vector<std::filesystem::path> runs;
  for (const std::string& argument : arguments) {
    if (!is_folder(argument)) {
      if (arguments.size() == 1)
        throw UserError("there is no folder '" + argument + "'", "name run directories, or a folder of them");
      continue;  // a shell pattern also brings reports and logs
    }
    if (is_run(argument)) {
      runs.emplace_back(argument);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argument))
      if (entry.is_directory() && is_run(entry.path()) && !run::RunFolder::is_aside(entry.path()))
        runs.push_back(entry.path());
  }
  if (runs.empty()) throw UserError("there is no run in " + join(arguments, ", "), "a run directory has a run.json");
  std::sort(runs.begin(), runs.end());
  return runs;
}

/// The shipped recipes of printed tables: {"SST, Table 5", "builtin:papers/sst_table_05.yaml"}.
std::vector<std::pair<std::string, std::string>> printed_tables() {
  std::vector<std::pair<std::string, std::string>> tables;
  recipe::Diagnostics ignored;
  for (const auto& shipped : recipe::builtin_recipes()) {
    if (!starts_with(shipped.name, "papers/")) continue;
    const std::string file = "builtin:" + std::string(shipped.name);
    const auto recipe = recipe::load(file, {.builtin = builtin_lookup()}, run::recipe_schema(), ignored);
    tables.emplace_back(recipe.value<std::optional<std::string>>("report.paper.table").value_or(""), file);
  }
  return tables;
}

/// A shipped recipe of a printed table, such as "SST, Table 5", or any recipe with a sweep; nothing where there is neither.
std::optional<std::string> recipe_of_table(const std::string& table) {
  if (table.empty()) return std::nullopt;
  if (std::filesystem::is_regular_file(table) || starts_with(table, "builtin:")) return table;
  for (const auto& [name, recipe] : printed_tables())
    if (name == table) return recipe;
  return std::nullopt;
}

std::string known_tables() {
  std::vector<std::string> names;
  for (const auto& [name, recipe] : printed_tables()) names.push_back(name);
  return join(names, "; ");
}

/// The table of a sweep's recipe from whatever runs exist: those named, or all in the folders where its runs would lie.
report::Table table_of_recipe(const std::string& file, const std::vector<std::string>& runs,
                              const std::string& metric) {
  recipe::Diagnostics diagnostics, of_base;  // what the base alone lacks, its points give
  const recipe::LoadOptions load{.builtin = builtin_lookup()};
  const auto recipe = recipe::load(file, load, run::recipe_schema(), of_base);
  const auto points = recipe::expand(file, load, run::recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  run::RunIndex index;
  if (runs.empty())
    for (const auto& root : run::out_roots(points)) index.add_all(root);
  else
    for (const auto& run : runs_under(runs)) index.add(run);
  auto spec = run::sweep_table_spec(recipe, points);
  if (!metric.empty()) {
    spec.metrics = {metric};
    spec.paper.clear();  // they are of the recipe's own
  }
  const std::string title = spec.paper_table.empty() ? recipe.text("name") : spec.paper_table;
  auto table = report::make_table(title, run::records_of(points, index), spec);
  if (!spec.paper_table.empty())
    for (const auto& stranger : index.strangers(spec.paper_table, points))
      table.notes.push_back("Not counted, trained otherwise than the table's recipe: " + stranger + ".");
  return table;
}

/// The runs whose own recipe names the table, where no shipped recipe is that table.
report::Table table_of_runs(const std::vector<std::filesystem::path>& runs, const std::string& name,
                            const report::TableSpec& spec) {
  std::vector<report::RunRecord> records;
  for (const auto& run : runs)
    if (name.empty() || run::table_spec_of(run).paper_table == name) records.push_back(report::read_run(run));
  if (records.empty())
    throw UserError("no run belongs to the table '" + name + "', and no shipped recipe is called that",
                    "there are " + known_tables());
  return report::make_table(name.empty() ? runs.front().parent_path().filename().string() : name, std::move(records),
                            spec);
}

}  // namespace

Action add_report(CLI::App& command) {
  struct Options {
    std::vector<std::string> runs;
    std::string table, out, metric;
  };
  const auto options = std::make_shared<Options>();
  command.description("one run's page, or a table over many runs");
  command.add_option("runs", options->runs, "run directories, or folders of them")->type_name("RUN...");
  command.add_option("--table", options->table, "a printed table or a recipe's, from RUNs or else all of out_root")
      ->type_name("NAME|RECIPE");
  command.add_option("--metric", options->metric, "what the cells show, such as test/f1")->type_name("METRIC");
  command.add_option("--out", options->out, "folder for the pages; default: beside the runs")->type_name("DIR");
  examples(command,
           "  sst-train report runs/cora_nc/3fa9c1d2-s1\n  sst-train report runs/cora_nc\n"
           "  sst-train report --table \"SST, Table 5\" --out table_5");
  return [options](const CommonFlags& common) {
    const auto recipe = recipe_of_table(options->table);
    if (options->runs.empty() && !recipe)
      throw UserError(
          options->table.empty() ? "report needs a run, or --table"
                                 : "no shipped recipe is the table '" + options->table + "'",
          options->table.empty() ? "name run directories, or a folder of them" : "there are " + known_tables());
    const auto runs = recipe ? std::vector<std::filesystem::path>{} : runs_under(options->runs);
    auto spec = recipe ? report::TableSpec{} : run::table_spec_of(runs.front());
    if (!options->metric.empty()) spec.metrics = {options->metric};
    std::vector<std::filesystem::path> files;
    if (runs.size() == 1 && options->table.empty()) {
      files = report::write_run_report(runs.front(), spec);
    } else {
      const auto table =
          recipe ? table_of_recipe(*recipe, options->runs, options->metric) : table_of_runs(runs, options->table, spec);
      if (!options->out.empty() || !recipe)  // a table over many folders has none of its own
        files = report::write_table_report(
            options->out.empty() ? runs.front().parent_path() : std::filesystem::path(options->out), table);
      const auto screen = stderr_screen();
      fmt::print("{}", common.json ? report::table_json(table)
                                   : report::text_report(table, use_color(common.color, screen.is_terminal),
                                                         static_cast<size_t>(screen.columns())));
    }
    for (const auto& file : files) log::info("report: {}", file.string());
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
