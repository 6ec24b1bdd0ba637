#include "run/prune.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "checkpoint/store.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "recipe/load.hpp"
#include "recipe/scalars.hpp"
#include "report/metric_words.hpp"
#include "report/pages.hpp"
#include "report/table_grid.hpp"
#include "run/snapshot.hpp"
#include "run/table_spec.hpp"
#include "run/train.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

namespace fs = std::filesystem;

struct PruneOptions {
  std::string path, which = "best", weights = "trained", out, split;
  std::vector<std::string> targets = {"*"};
  double keep = 0.9;
  std::vector<double> curve = {1, 0.99, 0.98, 0.97, 0.96, 0.95, 0.93, 0.9};  ///< figure 5 of the SST paper
  bool factored = false, no_curve = false;
};

void check(const PruneOptions& options) {
  for (const double keep : options.curve)
    if (!(keep > 0 && keep <= 1))
      throw UserError(fmt::format("--curve holds {}, but a share kept lies above 0 and is at most 1", keep));
  if (!(options.keep > 0 && options.keep <= 1))
    throw UserError(fmt::format("--keep is {}, but must lie above 0 and be at most 1", options.keep));
  if (options.factored && options.out.empty())
    throw UserError("--factored says how the pruned checkpoint is written, but --out does not say where");
  if (options.no_curve && options.out.empty()) throw UserError("--no-curve without --out leaves nothing to do");
  if (!options.out.empty()) require_new_folder(options.out);
}

/// The run that the checkpoint belongs to, where it lies in one.
std::optional<fs::path> run_of(const fs::path& checkpoint) {
  const fs::path run = fs::absolute(checkpoint).parent_path().parent_path();
  if (path_exists(run / "run.json")) return run;
  return std::nullopt;
}

report::Grid curve_grid(const std::vector<report::PrunePoint>& curve) {
  report::Grid grid{.head = {"keep", "removed (%)", "size (%)"}, .body = {}, .key_columns = 1};
  for (const auto& [name, value] : curve.front().results) grid.head.push_back(report::metric_label(name));
  for (const auto& point : curve) {
    std::vector<report::GridCell> line = {{recipe::format_number(point.keep)},
                                          {fmt::format("{:.2f}", 100 * point.removed)},
                                          {fmt::format("{:.1f}", 100 * point.size)}};
    for (const auto& [name, value] : point.results)
      line.push_back({fmt::format("{:.{}f}", value * report::table_scale(name), report::table_decimals(name))});
    grid.body.push_back(std::move(line));
  }
  return grid;
}

/// The curve, printed, kept in the run and drawn in its report.
std::vector<report::PrunePoint> draw_curve(run::Assembly& assembly, const run::Pruning& pruning, PruneOptions options,
                                           const fs::path& checkpoint, bool is_quiet) {
  if (!options.out.empty()) options.curve.push_back(options.keep);
  std::sort(options.curve.begin(), options.curve.end(), std::greater<>());
  options.curve.erase(std::unique(options.curve.begin(), options.curve.end()), options.curve.end());
  if (options.split.empty()) options.split = "valid";
  auto curve = run::prune_curve(assembly, pruning, options.curve, options.split, [&](const report::PrunePoint& point) {
    if (!is_quiet) log::info("keep {:g}: {:.2f} % removed", point.keep, 100 * point.removed);
  });
  if (const auto folder = run_of(checkpoint)) {
    write_file_atomically(*folder / report::kPruneFile, report::to_json(curve).dump(2) + "\n");
    for (const auto& file : report::write_run_report(*folder, run::table_spec_of(*folder)))
      log::info("report: {}", file.string());
  }
  return curve;
}

void write_pruned(const checkpoint::Contents& contents, const fs::path& checkpoint, const run::Pruning& pruning,
                  const PruneOptions& options) {
  const auto pruned = run::pruned_checkpoint(contents, checkpoint, pruning, options.keep, options.factored);
  fs::create_directories(options.out);
  checkpoint::Note note;
  note.weights_only = true;
  checkpoint::write(options.out, pruned, note);
}

}  // namespace

Action add_prune(CLI::App& command) {
  const auto options = std::make_shared<PruneOptions>();
  command.description("singular-value pruning of a trained model: the score curve, and a pruned checkpoint");
  command.add_option("path", options->path, "a run directory or a checkpoint")->required()->type_name("RUN|CKPT");
  command.add_option("--checkpoint", options->which, "best, last or step-N of the run")->type_name("WHICH");
  add_weights_option(command, options->weights);
  command.add_option("--out", options->out, "the pruned checkpoint, a new folder")->type_name("CKPT");
  command.add_option("--keep", options->keep, "of the sum of singular values, what stays of each matrix in --out")
      ->type_name("SHARE")
      ->capture_default_str();
  command.add_flag("--factored", options->factored, "write two factors where they are smaller than the matrix");
  command
      .add_option("--curve", options->curve, "the shares that are scored; default: those of the SST paper, 1 to 0.9")
      ->type_name("SHARES")
      ->delimiter(',');
  command.add_flag("--no-curve", options->no_curve, "score nothing; no data are needed");
  command.add_option("--split", options->split, "valid or test; default: valid")
      ->type_name("SPLIT")
      ->check(CLI::IsMember({"valid", "test"}));
  command.add_option("--targets", options->targets, "the linear maps, as method.targets; default: those of the blocks")
      ->type_name("GLOB");
  command.allow_extras();
  examples(command,
           "  sst-train prune runs/opt_125m/3fa9c1d2-s1\n"
           "  sst-train prune runs/opt_125m/3fa9c1d2-s1 --keep 0.9 --factored --out pruned\n"
           "  sst-train eval pruned");
  return [options, &command](const CommonFlags& common) {
    check(*options);
    const auto folder = checkpoint::find(options->path, options->which);
    const recipe::LoadOptions load{.overrides = command.remaining(), .builtin = builtin_lookup()};
    const auto contents = checkpoint::load(folder);
    const auto trained = run::trained_tensors(contents, folder, load, options->weights);
    std::vector<report::PrunePoint> curve;
    std::optional<run::Pruning> pruning;
    if (options->no_curve) {
      const auto built = run::untrained_model(trained.recipe);
      pruning.emplace(built.task->model(), trained.tensors, options->targets);
    } else {
      auto assembly = run::assemble(trained.recipe);
      run::restore_weights(contents, assembly);
      pruning.emplace(assembly.task->model(), trained.tensors, options->targets);
      curve = draw_curve(assembly, *pruning, *options, folder, common.quiet);
    }
    if (!options->out.empty()) write_pruned(contents, folder, *pruning, *options);
    if (common.json) {
      nlohmann::ordered_json json = {
          {"checkpoint", folder.string()}, {"step", trained.step}, {"curve", report::to_json(curve)}};
      if (!options->out.empty())
        json["pruned"] = {{"folder", options->out},
                          {"keep", options->keep},
                          {"removed", pruning->removed(options->keep)},
                          {"size", pruning->size(options->keep)},
                          {"factored_ranks", pruning->factored_ranks(options->keep)}};
      fmt::print("{}\n", json.dump(2));
      return ExitCode::kDone;
    }
    if (!curve.empty()) fmt::print("{}", report::text_table(curve_grid(curve), false));
    if (!options->out.empty())
      fmt::print("{}: {:.2f} % of the singular values removed{}\n", options->out, 100 * pruning->removed(options->keep),
                 options->factored
                     ? fmt::format(", the matrices at {:.1f} % of their size", 100 * pruning->size(options->keep))
                     : "");
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
