#include <fmt/core.h>

#include <filesystem>

#include "verb.hpp"

namespace sst::app {
namespace {

struct SlurmOptions {
  std::string recipe, time = "04:00:00", partition, account, memory, out;
  int64_t nodes = 1, tasks = 1, cpus = 4, gpus = 0, warning_s = 120;
};

/// A word as a shell reads it back.
std::string quoted(const std::string& word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = "'";
  for (const char letter : word) text += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return text + "'";
}

std::string script(const SlurmOptions& options, const std::string& name, const std::vector<std::string>& overrides) {
  std::string text = "#!/bin/bash\n";
  const auto directive = [&](const std::string& key, const std::string& value) {
    if (!value.empty()) text += fmt::format("#SBATCH --{}={}\n", key, value);
  };
  directive("job-name", quoted(name));
  directive("partition", options.partition);
  directive("account", options.account);
  directive("nodes", std::to_string(options.nodes));
  directive("ntasks-per-node", std::to_string(options.gpus > 0 ? options.gpus : options.tasks));
  directive("gpus-per-node", options.gpus > 0 ? std::to_string(options.gpus) : "");
  directive("cpus-per-task", std::to_string(options.cpus));
  directive("mem", options.memory);
  directive("time", options.time);
  directive("output", "%x-%j.log");
  text += "#SBATCH --open-mode=append\n#SBATCH --requeue\n";
  text += fmt::format("#SBATCH --signal=USR1@{}  # time for the step at hand and a checkpoint\n\n", options.warning_s);
  text += fmt::format("export OMP_NUM_THREADS={}\n", options.cpus);
  text +=
      "srun " + quoted(std::filesystem::read_symlink("/proc/self/exe").string()) + " train " + quoted(options.recipe);
  for (const std::string& override : overrides) text += " " + quoted(override);
  if (!options.out.empty()) text += " --out " + quoted(options.out);
  text +=
      "\ncode=$?\n"
      "# 75: stopped in time, with a checkpoint. The same job goes on from it, on whatever nodes it gets.\n"
      "[ $code -ne 75 ] || scontrol requeue \"$SLURM_JOB_ID\"\n"
      "exit $code\n";
  return text;
}

}  // namespace

Action add_slurm(CLI::App& command) {
  const auto options = std::make_shared<SlurmOptions>();
  command.description("prints a batch script for Slurm that trains a recipe over as many jobs as it takes");
  command.add_option("recipe", options->recipe, "the recipe, or builtin:NAME")->required()->type_name("RECIPE.yaml");
  command.add_option("--time", options->time, "limit of one job, as sbatch takes it")->type_name("04:00:00");
  command.add_option("--nodes", options->nodes, "machines")->check(CLI::PositiveNumber);
  command.add_option("--gpus", options->gpus, "GPUs on each, with a process for each")->check(CLI::NonNegativeNumber);
  command.add_option("--tasks", options->tasks, "processes on each where there are no GPUs")
      ->check(CLI::PositiveNumber);
  command.add_option("--cpus", options->cpus, "CPU cores of each process")->check(CLI::PositiveNumber);
  command.add_option("--mem", options->memory, "memory of each machine")->type_name("64G");
  command.add_option("--partition", options->partition, "where the job queues")->type_name("NAME");
  command.add_option("--account", options->account, "who pays")->type_name("NAME");
  command.add_option("--warning", options->warning_s, "seconds before the limit at which training stops")
      ->check(CLI::PositiveNumber);
  command.add_option("--out", options->out, "exact run directory")->type_name("DIR");
  command.allow_extras();  // key=value
  examples(command,
           "  sst-train slurm recipes/lm/opt_125m.yaml --nodes 2 --gpus 8 --time 12:00:00 > opt.sbatch\n"
           "  sbatch opt.sbatch");
  return [options, &command](const CommonFlags& common) {
    const auto overrides = command.remaining();
    const auto recipe = load_recipe(options->recipe, overrides, common);
    fmt::print("{}", script(*options, recipe.value<std::string>("name"), overrides));
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
