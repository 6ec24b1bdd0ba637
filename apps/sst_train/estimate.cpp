#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "core/clock.hpp"
#include "core/text.hpp"
#include "run/assembly.hpp"
#include "run/training_step.hpp"
#include "tensor/memory_meter.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

struct Measured {
  double seconds_per_step = 0;
  double peak_bytes = 0;
};

/// Two real optimizer steps; the first one warms up.
Measured measure(run::Assembly& assembly) {
  Measured measured;
  const tensor::TensorMemoryMeter meter;
  for (int64_t step = 0; step < 2; ++step) {
    const Stopwatch watch;
    run::training_step(assembly, step);
    measured.seconds_per_step = watch.seconds();
  }
  measured.peak_bytes = static_cast<double>(meter.peak_bytes());
  return measured;
}

}  // namespace

Action add_estimate(CLI::App& command) {
  struct Options {
    std::string recipe;
    bool measure = false;
  };
  const auto options = std::make_shared<Options>();
  command.description("parameters, memory and disk a recipe needs");
  command.add_option("recipe", options->recipe, "the recipe, or builtin:NAME")->required()->type_name("RECIPE.yaml");
  command.add_flag("--measure", options->measure, "run two real steps as well");
  command.allow_extras();
  examples(command, "  sst-train estimate recipes/graphs/cora_nc.yaml method.rank=1 --measure");
  return [options, &command](const CommonFlags& common) {
    const auto recipe = load_recipe(options->recipe, command.remaining(), common);
    auto assembly = run::assemble(recipe);
    const auto counts = run::count_parameters(assembly);
    const auto memory = run::estimate_memory(assembly);
    const double checkpoint_bytes = memory.checkpoint();
    const auto kept = static_cast<double>(assembly.checkpoint.keep_last + assembly.checkpoint.keep_best);
    nlohmann::ordered_json json = {
        {"parameters", {{"total", counts.total}, {"trainable", counts.trainable}}},
        {"memory_bytes",
         {{"parameters", memory.parameters},
          {"gradients", memory.gradients},
          {"optimizer_states", memory.optimizer_states},
          {"activations", memory.activations},
          {"averages", memory.averages},
          {"snapshots", memory.snapshots},
          {"total", memory.total()}}},
        {"disk_bytes", {{"checkpoint", checkpoint_bytes}, {"kept", checkpoint_bytes * kept}}}};
    if (options->measure) {
      assembly.method->on_start(*assembly.optimizer);
      assembly.averages.start(assembly.task->model());
      const Measured measured = measure(assembly);
      json["measured"] = {{"seconds_per_step", measured.seconds_per_step}, {"peak_tensor_bytes", measured.peak_bytes}};
    }
    if (common.json) {
      fmt::print("{}\n", json.dump(2));
      return ExitCode::kDone;
    }
    fmt::print("parameters        {} total, {} trainable ({:.1f} %)\n", with_thousands(counts.total),
               with_thousands(counts.trainable),
               100.0 * static_cast<double>(counts.trainable) / static_cast<double>(counts.total));
    fmt::print("memory            {}\n", human_bytes(memory.total()));
    for (const auto& [name, bytes] : {std::pair{"weights", memory.parameters},
                                      {"gradients", memory.gradients},
                                      {"optimizer", memory.optimizer_states},
                                      {"activations", memory.activations},
                                      {"averages", memory.averages},
                                      {"copies to save", memory.snapshots}})
      if (bytes > 0) fmt::print("  {:<16}{}\n", name, human_bytes(bytes));
    fmt::print("disk              {} a checkpoint, {} for all that are kept\n", human_bytes(checkpoint_bytes),
               human_bytes(checkpoint_bytes * kept));
    if (options->measure)
      fmt::print("measured          {:.4f} s a step, {} of tensors at the peak beside the model\n",
                 json["measured"]["seconds_per_step"].get<double>(),
                 human_bytes(json["measured"]["peak_tensor_bytes"].get<double>()));
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
