#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/clock.hpp"
#include "core/number.hpp"
#include "core/text.hpp"
#include "methods/registry.hpp"
#include "run/assembly.hpp"
#include "run/device.hpp"
#include "run/out_of_memory.hpp"
#include "run/scale_plan.hpp"
#include "run/training_step.hpp"
#include "tensor/memory_meter.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

struct Measured {
  double seconds_per_step = 0;
  double peak_bytes = 0;
};

/// Two real optimizer steps; the first one warms up. Then the one that takes the most memory, if it is another.
Measured measure(run::Assembly& assembly, const tensor::TensorMemoryMeter& meter) {
  Measured measured;
  for (int64_t step = 0; step < 2; ++step) {
    const Stopwatch watch;
    run::training_step(assembly, step);
    measured.seconds_per_step = watch.seconds();
  }
  if (const auto largest = assembly.task->largest_step(); largest && *largest != 1)
    run::training_step(assembly, *largest);
  measured.peak_bytes = static_cast<double>(meter.peak_bytes());
  return measured;
}

/// `--nproc` and its like: a machine that need not be at hand.
struct PlanOptions {
  std::optional<int64_t> processes;
  std::string device_memory, link, flops;
  std::vector<std::string> methods;

  bool is_asked_for() const { return processes || !device_memory.empty() || !link.empty() || !flops.empty(); }
};

/// "312T", "50GB/s", "80GiB": a number, a decimal or binary prefix, and the unit that is meant.
double rate(const std::string& text, const std::string& option, const std::string& unit) {
  static const std::map<std::string, double> kPrefixes = {
      {"", 1},     {"k", 1e3},     {"M", 1e6},        {"G", 1e9},           {"T", 1e12},
      {"P", 1e15}, {"Ki", 1024.0}, {"Mi", 1048576.0}, {"Gi", 1073741824.0}, {"Ti", 1099511627776.0}};
  if (text.empty()) return 0;
  const size_t digits = std::min(text.find_first_not_of("0123456789.e+"), text.size());
  std::string prefix = text.substr(digits);
  for (const std::string& ending : {unit + "/s", unit})
    if (ends_with(prefix, ending)) {
      prefix.resize(prefix.size() - ending.size());
      break;
    }
  const auto number = number_from<double>(text.substr(0, digits));
  const auto found = kPrefixes.find(prefix);
  if (!number || !(*number > 0) || found == kPrefixes.end())
    throw UserError("--" + option + " is '" + text + "', which is no amount",
                    "write it as 80GiB (--device-memory), 50GB/s (--link), 312T (--flops)");
  return *number * found->second;
}

nlohmann::ordered_json memory_json(const run::MemoryEstimate& memory) {
  nlohmann::ordered_json json;
  for (const auto& kind : memory.kinds()) json[kind.key] = kind.bytes;
  json["total"] = memory.total();
  return json;
}

/// A line of the table of plans, or what stands in its way.
struct PlanRow {
  std::string method, problem;
  run::ScalePlan plan;
};

nlohmann::ordered_json plan_json(const PlanRow& row) {
  if (!row.problem.empty()) return {{"method", row.method}, {"problem", row.problem}};
  const auto& plan = row.plan;
  return {{"method", row.method},
          {"parameters", {{"total", plan.parameters.total}, {"trainable", plan.parameters.trainable}}},
          {"memory_bytes", memory_json(plan.memory)},
          {"micro_batch", plan.micro_batch},
          {"fits", plan.fits},
          {"flops_per_step", plan.flops},
          {"sent_bytes_per_step", plan.sent_bytes},
          {"compute_s", plan.compute_s},
          {"exchange_s", plan.exchange_s},
          {"step_s", {plan.hidden_s(), plan.in_turn_s()}}};
}

/// "0.52 to 0.71 s"; "" where no rate is given.
std::string step_seconds(const run::ScalePlan& plan) {
  if (plan.compute_s <= 0) return "";
  if (plan.exchange_s <= 0) return fmt::format("{:.3g} s", plan.compute_s);
  return fmt::format("{:.3g} to {:.3g} s", plan.hidden_s(), plan.in_turn_s());
}

void print_plans(const std::vector<PlanRow>& rows, const run::Machine& machine) {
  fmt::print("each of {} process{}{}\n", machine.processes, machine.processes == 1 ? "" : "es",
             machine.device_memory > 0 ? ", on a device of " + human_bytes(machine.device_memory) : "");
  const char* line = "{:<9}{:>11}{:>11}{:>11}{:>12}{:>11}  {:<5}{:>6}{:>11}  {}\n";
  fmt::print(fmt::runtime(line), "method", "weights", "gradients", "optimizer", "activations", "total", "fits", "micro",
             "sent/step", "step");
  for (const PlanRow& row : rows) {
    const auto& [parameters, memory, micro_batch, fits, flops, sent, compute, exchange] = row.plan;
    if (!row.problem.empty())
      fmt::print("{:<9}  {}\n", row.method, row.problem);
    else
      fmt::print(fmt::runtime(line), row.method, human_bytes(memory.parameters), human_bytes(memory.gradients),
                 human_bytes(memory.optimizer_states + memory.averages + memory.snapshots),
                 human_bytes(memory.activations), human_bytes(memory.total()), fits ? "yes" : "no",
                 micro_batch > 0 ? std::to_string(micro_batch) : "-", human_bytes(sent), step_seconds(row.plan));
  }
  fmt::print("micro: sequences that each process computes at a time, the most that fit 90 % of the memory\n");
  if (machine.flops > 0 && machine.link > 0)
    fmt::print("step: with the exchange hidden behind backward, and after it\n");
}

/// The recipe with each of the methods, on the machine.
ExitCode plan(const std::string& path, const std::vector<std::string>& overrides, const PlanOptions& options,
              const CommonFlags& common) {
  const run::Machine machine{.processes = options.processes.value_or(1),
                             .device_memory = rate(options.device_memory, "device-memory", "B"),
                             .link = rate(options.link, "link", "B"),
                             .flops = rate(options.flops, "flops", "FLOP")};
  std::vector<PlanRow> rows;
  for (const std::string& method : options.methods.empty() ? methods::registry().names() : options.methods) {
    methods::registry().at(method);  // throws UserError for a word that is none
    auto all = overrides;
    all.insert(all.begin(), "method.name=" + method);
    PlanRow row{.method = method, .problem = {}, .plan = {}};
    try {
      CommonFlags quiet = common;
      quiet.quiet = true;
      if (machine.device_memory > 0 && load_recipe(path, all, quiet).has("train.micro_batch"))
        all.push_back("train.micro_batch=auto");
      row.plan = run::plan_for(load_recipe(path, all, quiet), machine);
    } catch (const Error& error) {
      row.problem = std::string(error.what()) + (error.hint().empty() ? "" : "; " + error.hint());
    }
    rows.push_back(std::move(row));
  }
  if (common.json) {
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const PlanRow& row : rows) json.push_back(plan_json(row));
    fmt::print("{}\n", json.dump(2));
  } else {
    print_plans(rows, machine);
  }
  return ExitCode::kDone;
}

}  // namespace

Action add_estimate(CLI::App& command) {
  struct Options {
    std::string recipe;
    bool measure = false;
    PlanOptions plan;
  };
  const auto options = std::make_shared<Options>();
  command.description("parameters, memory and disk a recipe needs");
  command.add_option("recipe", options->recipe, "the recipe, or builtin:NAME")->required()->type_name("RECIPE.yaml");
  command.add_flag("--measure", options->measure, "run two real steps as well");
  const std::string group = "For a machine that is not at hand (plans for every method, in place of the above)";
  auto& machine = options->plan;
  command.add_option("--nproc", machine.processes, "processes, one on each device")
      ->check(CLI::PositiveNumber)
      ->group(group);
  command.add_option("--device-memory", machine.device_memory, "memory of each device")
      ->type_name("80GiB")
      ->group(group);
  command.add_option("--link", machine.link, "what each process sends in a second")->type_name("50GB/s")->group(group);
  command.add_option("--flops", machine.flops, "what each device computes in a second")
      ->type_name("312T")
      ->group(group);
  command.add_option("--methods", machine.methods, "some methods only")
      ->delimiter(',')
      ->type_name("full,sst")
      ->group(group);
  command.allow_extras();
  examples(command,
           "  sst-train estimate recipes/graphs/cora_nc.yaml method.rank=1 --measure\n"
           "  sst-train estimate recipes/lm/opt_1.3b.yaml --nproc 4 --device-memory 80GiB --flops 140T");
  return [options, &command](const CommonFlags& common) {
    if (options->plan.is_asked_for()) return plan(options->recipe, command.remaining(), options->plan, common);
    const auto recipe = load_recipe(options->recipe, command.remaining(), common);
    const tensor::TensorMemoryMeter meter(run::resolve_device(recipe.text("runtime.device")).type());
    run::Assembly assembly;
    run::MemoryEstimate memory;
    run::explaining_memory(
        recipe, run::resolve_device(recipe.text("runtime.device")), 1, std::nullopt,
        [] { return "while a step was tried"; },
        [&] {
          assembly = run::assemble(recipe);
          memory = run::estimate_memory(assembly);
        });
    const auto counts = run::count_parameters(assembly);
    const double checkpoint_bytes = memory.checkpoint();
    const auto kept = static_cast<double>(assembly.checkpoint.keep_last + assembly.checkpoint.keep_best);
    nlohmann::ordered_json json = {
        {"parameters", {{"total", counts.total}, {"trainable", counts.trainable}}},
        {"memory_bytes", memory_json(memory)},
        {"disk_bytes", {{"checkpoint", checkpoint_bytes}, {"kept", checkpoint_bytes * kept}}}};
    if (options->measure) {
      assembly.method->on_start(*assembly.optimizer);
      assembly.averages.start(assembly.task->model());
      const Measured measured = measure(assembly, meter);
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
    for (const auto& kind : memory.kinds())
      if (kind.bytes > 0) fmt::print("  {:<16}{}\n", kind.word, human_bytes(kind.bytes));
    fmt::print("disk              {} a checkpoint, {} for all that are kept\n", human_bytes(checkpoint_bytes),
               human_bytes(checkpoint_bytes * kept));
    if (options->measure)
      fmt::print("measured          {:.4f} s a step, {} of tensors at the peak, copies to save left out\n",
                 json["measured"]["seconds_per_step"].get<double>(),
                 human_bytes(json["measured"]["peak_tensor_bytes"].get<double>()));
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
