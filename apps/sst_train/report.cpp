#include "run/report.hpp"

#include <fmt/core.h>

#include <filesystem>

#include "core/file.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "recipe/load.hpp"
#include "run/recipe_schema.hpp"
#include "run/table_grid.hpp"
#include "run/terminal.hpp"
#include "run/train.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

bool is_run(const std::filesystem::path& folder) { return std::filesystem::exists(folder / "run.json"); }

/// A run directory stands for itself, a folder of them for every run in it.
std::vector<std::filesystem::path> runs_under(const std::vector<std::string>& arguments) {
  std::vector<std::filesystem::path> runs;
  for (const std::string& argument : arguments) {
    if (!std::filesystem::is_directory(argument)) {
      if (arguments.size() == 1)
        throw UserError("there is no folder '" + argument + "'", "name run directories, or a folder of them");
      continue;  // a shell pattern also brings reports and logs
    }
    if (is_run(argument)) {
      runs.emplace_back(argument);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argument))
      if (entry.is_directory() && is_run(entry.path())) runs.push_back(entry.path());
  }
  if (runs.empty()) throw UserError("there is no run in " + join(arguments, ", "), "a run directory has a run.json");
  std::sort(runs.begin(), runs.end());
  return runs;
}

recipe::Recipe recipe_of(const std::filesystem::path& run) {
  recipe::Diagnostics diagnostics;
  const auto path = run / "recipe.yaml";
  const auto recipe = recipe::load_text(read_file(path), path.string(), {.builtin = builtin_lookup()},
                                        run::recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  return recipe;
}

}  // namespace

Action add_report(CLI::App& command) {
  struct Options {
    std::vector<std::string> runs;
    std::string table, out, metric;
  };
  const auto options = std::make_shared<Options>();
  command.description("one run's page, or a table over many runs");
  command.add_option("runs", options->runs, "run directories, or folders of them")->required()->type_name("RUN...");
  command.add_option("--table", options->table, "a printed table, by report.paper.table")->type_name("NAME");
  command.add_option("--metric", options->metric, "what the cells show, such as test/f1")->type_name("METRIC");
  command.add_option("--out", options->out, "folder for the pages; default: beside the runs")->type_name("DIR");
  examples(command, "  sst-train report runs/cora_nc/3fa9c1d2-s1\n  sst-train report runs/cora_nc");
  return [options](const CommonFlags& common) {
    const auto runs = runs_under(options->runs);
    auto spec = run::table_spec(recipe_of(runs.front()));
    if (!options->metric.empty()) spec.metric = options->metric;
    std::vector<std::filesystem::path> files;
    if (runs.size() == 1 && options->table.empty()) {
      files = run::write_run_report(runs.front(), spec);
    } else {
      std::vector<run::RunRecord> records;
      for (const auto& run : runs) {
        const auto of_run = run::table_spec(recipe_of(run));
        if (options->table.empty() || of_run.paper_table == options->table) records.push_back(run::read_run(run));
      }
      if (records.empty())
        throw UserError("no run belongs to the table '" + options->table + "'",
                        "it is matched against report.paper.table");
      const std::string title =
          options->table.empty() ? runs.front().parent_path().filename().string() : options->table;
      const auto table = run::make_table(title, std::move(records), spec);
      files = run::write_table_report(
          options->out.empty() ? runs.front().parent_path() : std::filesystem::path(options->out), table);
      const auto screen = run::stderr_screen();
      fmt::print("{}", common.json ? run::table_json(table)
                                   : run::text_report(table, run::use_color(common.color, screen.is_terminal),
                                                      static_cast<size_t>(screen.columns())));
    }
    for (const auto& file : files) log::info("report: {}", file.string());
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
