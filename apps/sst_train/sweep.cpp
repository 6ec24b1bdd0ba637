#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "core/terminal.hpp"
#include "recipe/sweep.hpp"
#include "report/pages.hpp"
#include "report/table_grid.hpp"
#include "run/checks.hpp"
#include "run/recipe_schema.hpp"
#include "run/sweep_runner.hpp"
#include "run/sweep_table.hpp"
#include "run/train.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

struct Options {
  std::string recipe;
  bool list = false;
  int64_t index = -1, jobs = 1;
};

void list_points(const std::vector<run::SweepJob>& jobs, bool as_json) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (size_t i = 0; i < jobs.size(); ++i) {
    const std::string state = run::state_of(jobs[i].run_dir);
    if (as_json) {
      json.push_back(
          {{"index", i}, {"run", jobs[i].run_dir.string()}, {"state", state}, {"overrides", jobs[i].point.overrides}});
    } else {
      fmt::print("{:>3}  {:<9} {}  {}\n", i, state, jobs[i].run_dir.string(), jobs[i].label);
    }
  }
  if (as_json) fmt::print("{}\n", json.dump(2));
}

/// The recipe whose report is drawn.
recipe::Recipe recipe_of(const Options& options, const std::vector<std::string>& overrides) {
  recipe::Diagnostics ignored;  // what is wrong in it was said of every point
  return recipe::load(options.recipe, {.overrides = overrides, .builtin = builtin_lookup()}, run::recipe_schema(),
                      ignored);
}

/// Every point, checked before the first one starts.
std::vector<run::SweepJob> expand(const Options& options, const std::vector<std::string>& overrides,
                                  const CommonFlags& common) {
  recipe::Diagnostics diagnostics;
  auto points = recipe::expand(options.recipe, {.overrides = overrides, .builtin = builtin_lookup()},
                               run::recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  for (const auto& point : points) run::check_recipe(point.recipe, diagnostics);
  diagnostics.throw_if_errors();
  if (common.verbose) fmt::print(stderr, "{}", diagnostics.render(coloured(common)));
  return run::sweep_jobs(std::move(points));
}

void report(const recipe::Recipe& recipe, const std::vector<run::SweepJob>& jobs, const std::filesystem::path& folder,
            const CommonFlags& common) {
  std::vector<report::RunRecord> records;
  std::vector<recipe::SweepPoint> points;
  for (const auto& job : jobs) {
    records.push_back(report::read_run(job.run_dir, job.point.recipe.to_yaml()));
    points.push_back(job.point);
  }
  const auto table =
      report::make_table(recipe.value<std::string>("name"), std::move(records), run::sweep_table_spec(recipe, points));
  const auto files = report::write_table_report(folder, table);
  const auto screen = stderr_screen();
  if (common.json) {
    fmt::print("{}\n", report::table_json(table));
  } else {
    fmt::print("\n{}", report::text_report(table, use_color(common.color, screen.is_terminal),
                                           static_cast<size_t>(screen.columns())));
  }
  for (const auto& file : files) log::info("report: {}", file.string());
}

ExitCode run_points(const Options& options, const recipe::Recipe& recipe, const std::vector<run::SweepJob>& jobs,
                    const CommonFlags& common) {
  const auto folder = run::runs_folder(recipe);
  const ExitCode code =
      run::run_sweep(jobs, {.jobs = options.jobs, .quiet = common.quiet, .logs = folder / "sweep-logs"});
  report(recipe, jobs, folder, common);
  return code;
}

ExitCode run_one(const Options& options, const std::vector<run::SweepJob>& jobs, const CommonFlags& common) {
  if (options.index >= static_cast<int64_t>(jobs.size()))
    throw UserError(fmt::format("--index is {}, but the sweep has {} points", options.index, jobs.size()),
                    fmt::format("use 0 to {}", jobs.size() - 1));
  run::TrainFlags flags;
  flags.log_format = common.log_format;
  flags.color = common.color;
  flags.quiet = common.quiet;
  flags.arguments = common.arguments;
  return run::train(jobs[static_cast<size_t>(options.index)].point.recipe, flags).code;
}

}  // namespace

Action add_sweep(CLI::App& command) {
  const auto options = std::make_shared<Options>();
  command.description("trains every point of a recipe's sweep and draws the table");
  command.add_option("recipe", options->recipe, "the recipe, or builtin:NAME")->required()->type_name("RECIPE.yaml");
  command.add_flag("--list", options->list, "print index, state and run directory of each point; run nothing");
  command.add_option("--index", options->index, "train this one point only, as in a job array")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--jobs", options->jobs, "points trained at a time; they share the cores")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command.allow_extras();
  examples(command,
           "  sst-train sweep recipes/quickstart.yaml --jobs 2\n"
           "  sst-train sweep recipes/graphs/cora_nc.yaml --list\n"
           "  sst-train sweep recipes/graphs/cora_nc.yaml --index $SLURM_ARRAY_TASK_ID");
  return [options, &command](const CommonFlags& common) {
    const auto jobs = expand(*options, command.remaining(), common);
    if (jobs.empty()) throw UserError("the sweep has no points", "give it axes, tied rows or seeds");
    if (options->list) return list_points(jobs, common.json), ExitCode::kDone;
    if (options->index >= 0) return run_one(*options, jobs, common);
    return run_points(*options, recipe_of(*options, command.remaining()), jobs, common);
  };
}

}  // namespace sst::app
