#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "checkpoint/store.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/terminal.hpp"
#include "core/text.hpp"
#include "recipe/load.hpp"
#include "run/assembly.hpp"
#include "run/open_model.hpp"
#include "run/recipe_schema.hpp"
#include "run/snapshot.hpp"
#include "tasks/multiple_choice.hpp"
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

struct Results {
  std::map<std::string, double> values;
  std::map<std::string, std::string> signatures = {};  ///< of values that compare with their like only
};

/// Every split that was asked for, with the data that the recipe names.
Results evaluate_splits(const std::filesystem::path& checkpoint, const recipe::LoadOptions& load,
                        std::vector<std::string> splits, const std::string& weights) {
  const auto contents = checkpoint::load(checkpoint);
  auto assembly = run::assemble(run::recipe_of(contents, checkpoint, load));
  run::restore_weights(contents, assembly);
  assembly.task->model().eval();
  std::optional<nn::Substitution> averaged;
  if (weights != "trained")
    averaged.emplace(assembly.task->model(),
                     run::averaged_tensors(contents.averages, weights, assembly.task->lorentz_parameters()));
  const auto known = assembly.task->splits();
  if (splits.empty()) splits = {known.back()};
  Results results;
  const auto signatures = assembly.task->signatures();
  for (const std::string& split : splits) {
    if (std::find(known.begin(), known.end(), split) == known.end())
      throw UserError("there is no split '" + split + "'", "use " + join(known, " or "));
    for (const auto& [name, value] : assembly.task->evaluate(split, run::evaluation_pass(assembly)).metrics) {
      results.values[split + "/" + name] = value;
      if (const auto found = signatures.find(name); found != signatures.end())
        results.signatures[split + "/" + name] = found->second;
    }
  }
  return results;
}

/// The questions of an llm.c file; of the recipe nothing is read but model and tokenizer.
Results evaluate_choice_file(const std::filesystem::path& checkpoint, const recipe::LoadOptions& load,
                             const std::string& file, const std::string& weights, bool is_quiet) {
  const auto examples = text::read_choice_file(file);
  const auto opened = run::open_language_model(checkpoint, "", weights, load, run::UseDevice::kOfRecipe);
  const auto& tokenizer = opened.task->tokenizer();
  tasks::require_choices_fit(examples, tokenizer, file);
  const bool is_terminal = stderr_screen().is_terminal;
  const double every_s = is_terminal ? 0.25 : 10;  // a line redrawn, or a line from time to time
  Stopwatch since_shown;
  const auto show = [&](const tasks::ChoiceResult& result) {
    const bool is_last = result.examples == static_cast<int64_t>(examples.size());
    if (is_quiet || (since_shown.seconds() < every_s && !(is_terminal && is_last))) return;
    since_shown.restart();
    fmt::print(stderr, "{}choices {}/{}  accuracy {:.4f}  by length {:.4f}{}", is_terminal ? "\r" : "", result.examples,
               examples.size(), result.accuracy(), result.accuracy_normalised(),
               is_terminal && !is_last ? "\x1b[K" : "\n");
  };
  const auto result =
      tasks::evaluate_choices(opened.task->language_model(), examples, tokenizer.separator(), opened.pass, show);
  if (result.shortened > 0 && !is_quiet)
    log::warning("{} of {} contexts were longer than the model's {} positions and lost their start", result.shortened,
                 result.examples, opened.task->language_model().config().max_positions);
  return {.values = {{"choices/accuracy", result.accuracy()},
                     {"choices/accuracy_norm", result.accuracy_normalised()},
                     {"choices/examples", static_cast<double>(result.examples)},
                     {"choices/shortened", static_cast<double>(result.shortened)}}};
}

}  // namespace

Action add_eval(CLI::App& command) {
  struct Options {
    std::string path, which = "best", weights = "trained", choices;
    std::vector<std::string> splits, requirements;
  };
  const auto options = std::make_shared<Options>();
  command.description("metrics of a checkpoint on a split");
  command.add_option("path", options->path, "a run directory or a checkpoint")->required()->type_name("RUN|CKPT");
  command.add_option("--split", options->splits, "valid, test, or train_set; default: test where there is one")
      ->type_name("SPLIT");
  command.add_option("--checkpoint", options->which, "best, last or step-N of the run")->type_name("WHICH");
  add_weights_option(command, options->weights);
  command.add_option("--require", options->requirements, "exit 10 unless it holds, such as 'test/f1>=0.8'")
      ->type_name("CONDITION");
  command.add_option("--choices", options->choices, "accuracy on a multiple-choice file of llm.c (HellaSwag, MMLU)")
      ->type_name("FILE");
  command.allow_extras();
  examples(command,
           "  sst-train eval runs/cora_nc/3fa9c1d2-s1 --split test --require 'test/f1>=0.75'\n"
           "  sst-train eval runs/gpt2_124m/3fa9c1d2-s1 --choices hellaswag_val.bin");
  return [options, &command](const CommonFlags& common) {
    std::vector<Requirement> requirements(options->requirements.begin(), options->requirements.end());
    const auto folder = checkpoint::find(options->path, options->which);
    const recipe::LoadOptions load{.overrides = command.remaining(), .builtin = builtin_lookup()};
    Results results;
    if (!options->choices.empty())
      results = evaluate_choice_file(folder, load, options->choices, options->weights, common.quiet);
    if (options->choices.empty() || !options->splits.empty()) {
      Results of_splits = evaluate_splits(folder, load, options->splits, options->weights);
      results.values.merge(of_splits.values);
      results.signatures.merge(of_splits.signatures);
    }
    nlohmann::ordered_json json = {{"checkpoint", folder.string()}, {"step", checkpoint::read_note(folder).step}};
    json["results"] = results.values;
    if (!results.signatures.empty()) json["signatures"] = results.signatures;
    if (common.json)
      fmt::print("{}\n", json.dump(2));
    else
      print_results(results.values, results.signatures);
    for (const Requirement& requirement : requirements) {
      const auto found = results.values.find(requirement.metric);
      if (found == results.values.end())
        throw UserError("--require names '" + requirement.metric + "', which was not computed",
                        "add --split or --choices");
      if (!requirement.holds(found->second))
        throw Error(ExitCode::kRequirement, fmt::format("{} is {:.6g}, so '{}' does not hold", requirement.metric,
                                                        found->second, requirement.text));
    }
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
