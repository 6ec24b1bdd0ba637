#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "core/text.hpp"
#include "dist/launch.hpp"
#include "processes.hpp"
#include "recipe/scalars.hpp"
#include "run/train.hpp"
#include "verb.hpp"

namespace sst::app {

Action add_train(CLI::App& command) {
  struct Options {
    std::string recipe, max_time, out, nproc;
    run::TrainFlags flags;
  };
  const auto options = std::make_shared<Options>();
  command.description("trains a recipe, evaluates it and writes a report; run it again and it goes on");
  command.add_option("recipe", options->recipe, "the recipe, or builtin:NAME")->required()->type_name("RECIPE.yaml");
  command.add_option("--resume", options->flags.resume, "auto, never, must, or a checkpoint")->type_name("HOW");
  command.add_flag("--overwrite", options->flags.overwrite, "move an existing run aside and start afresh");
  command.add_flag("--dry-run", options->flags.dry_run, "everything up to the first step; writes nothing");
  command.add_option("--max-time", options->max_time, "stop cleanly within this time, exit 75")->type_name("3h50min");
  command.add_option("--out", options->out, "exact run directory")->type_name("DIR");
  add_nproc_option(command, options->nproc, "that train it together, or gpu: one for each GPU here");
  command.allow_extras();  // key=value
  examples(command,
           "  sst-train recipes/quickstart.yaml\n"
           "  sst-train recipes/graphs/cora_nc.yaml method.name=sst method.rank=2 seed=3\n"
           "  sst-train recipes/lm/opt_125m.yaml --nproc gpu\n"
           "  sst-train train recipe.yaml --max-time 3h50min --resume must");
  return [options, &command](const CommonFlags& common) {
    const dist::Launch launch = dist::detect_launch();
    const auto recipe = load_recipe(options->recipe, command.remaining(), flags_of_member(common, launch));
    if (const auto code = run_processes(options->nproc, launch, common)) return *code;
    run::TrainFlags flags = options->flags;
    if (!options->max_time.empty()) flags.max_time_s = recipe::parse_duration(options->max_time, "--max-time").seconds;
    if (!options->out.empty()) flags.out = options->out;
    flags.log_format = common.log_format;
    flags.color = common.color;
    flags.quiet = common.quiet;
    flags.arguments = common.arguments;
    const run::TrainOutcome outcome = run::train(recipe, flags);
    if (launch.rank > 0) return outcome.code;
    if (common.json) {
      nlohmann::ordered_json json = {{"run", outcome.run_dir.string()}, {"exit_code", static_cast<int>(outcome.code)}};
      for (const auto& [name, value] : outcome.results) json["results"][name] = value;
      if (!outcome.signatures.empty()) json["signatures"] = outcome.signatures;
      fmt::print("{}\n", json.dump(2));
    } else {
      print_results(outcome.results, outcome.signatures);
    }
    return outcome.code;
  };
}

}  // namespace sst::app
