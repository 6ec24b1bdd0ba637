#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/text.hpp"
#include "recipe/builtin.hpp"
#include "recipe/load.hpp"
#include "run/assembly.hpp"
#include "run/checkpoint_store.hpp"
#include "run/recipe_schema.hpp"
#include "run/snapshot.hpp"
#include "tasks/registry.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

/// `test/f1>=0.8`.
struct Requirement {
  std::string text, metric, comparison;
  double bound = 0;

  explicit Requirement(const std::string& requirement) : text(requirement) {
    const size_t at = requirement.find_first_of("<>");
    const size_t value = at == std::string::npos ? at : requirement.find_first_not_of("<>=", at);
    char* end = nullptr;
    if (value != std::string::npos) bound = std::strtod(requirement.c_str() + value, &end);
    if (value == std::string::npos || at == 0 || end == nullptr || *end != '\0' || end == requirement.c_str() + value)
      throw UserError("--require '" + requirement + "' is not of the form METRIC>=NUMBER",
                      "for example --require 'test/f1>=0.8'");
    metric = trim(requirement.substr(0, at));
    comparison = trim(requirement.substr(at, value - at));
    if (comparison != ">=" && comparison != "<=" && comparison != ">" && comparison != "<")
      throw UserError("--require '" + requirement + "' compares by '" + comparison + "'", "use >=, <=, > or <");
  }

  bool holds(double value) const {
    if (comparison == ">=") return value >= bound;
    if (comparison == "<=") return value <= bound;
    return comparison == ">" ? value > bound : value < bound;
  }
};

}  // namespace

Action add_eval(CLI::App& command) {
  struct Options {
    std::string path, which = "best", weights = "trained";
    std::vector<std::string> splits, requirements;
  };
  const auto options = std::make_shared<Options>();
  command.description("metrics of a checkpoint on a split");
  command.add_option("path", options->path, "a run directory or a checkpoint")->required()->type_name("RUN|CKPT");
  command.add_option("--split", options->splits, "valid or test; default: test where the task has one")
      ->type_name("SPLIT");
  command.add_option("--checkpoint", options->which, "best, last or step-N of the run")->type_name("WHICH");
  add_weights_option(command, options->weights);
  command.add_option("--require", options->requirements, "exit 10 unless it holds, such as 'test/f1>=0.8'")
      ->type_name("CONDITION");
  command.allow_extras();
  examples(command, "  sst-train eval runs/cora_nc/3fa9c1d2-s1 --split test --require 'test/f1>=0.75'");
  return [options, &command](const CommonFlags& common) {
    std::vector<Requirement> requirements(options->requirements.begin(), options->requirements.end());
    const auto folder = run::find_checkpoint(options->path, options->which);
    const auto contents = run::load_checkpoint(folder);
    recipe::Diagnostics diagnostics;
    const auto recipe = recipe::load_text(contents.recipe_yaml, (folder / "recipe.yaml").string(),
                                          {.overrides = command.remaining(), .builtin = builtin_lookup()},
                                          run::recipe_schema(), diagnostics);
    diagnostics.throw_if_errors();
    auto assembly = run::assemble(recipe);
    run::restore_weights(contents, assembly);
    assembly.task->model().eval();
    std::optional<nn::Substitution> averaged;
    if (options->weights != "trained")
      averaged.emplace(assembly.task->model(),
                       run::averaged_tensors(contents.averages, options->weights, assembly.task->lorentz_parameters()));

    if (options->splits.empty()) options->splits = {assembly.task->has_test() ? "test" : "valid"};
    std::map<std::string, double> results;
    for (const std::string& split : options->splits) {
      if (split != "valid" && split != "test")
        throw UserError("there is no split '" + split + "'", "use valid or test");
      for (const auto& [name, value] : assembly.task->evaluate(split, run::evaluation_pass(assembly)))
        results[split + "/" + name] = value;
    }
    nlohmann::ordered_json json = {{"checkpoint", folder.string()}, {"step", contents.step}};
    for (const auto& [name, value] : results) {
      json["results"][name] = value;
      if (!common.json) fmt::print("{}\t{:.6g}\n", name, value);
    }
    if (common.json) fmt::print("{}\n", json.dump(2));
    for (const Requirement& requirement : requirements) {
      const auto found = results.find(requirement.metric);
      if (found == results.end())
        throw UserError("--require names '" + requirement.metric + "', which was not computed", "add --split");
      if (!requirement.holds(found->second))
        throw Error(ExitCode::kRequirement, fmt::format("{} is {:.6g}, so '{}' does not hold", requirement.metric,
                                                        found->second, requirement.text));
    }
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
