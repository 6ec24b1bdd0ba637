#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "recipe/documents.hpp"
#include "recipe/recipe.hpp"

/// The command line: one file per verb. A verb adds its subcommand and says what to do when it is chosen.
namespace sst::app {

/// Flags of every verb.
struct CommonFlags {
  bool quiet = false;
  bool verbose = false;
  bool json = false;
  std::string log_format;  ///< empty: not given
  std::string color = "auto";
  std::vector<std::string> arguments;  ///< argv as typed
};

using Action = std::function<ExitCode(const CommonFlags&)>;

struct Verb {
  const char* name;
  /// Adds options to the verb's subcommand and returns what it does once they are parsed.
  Action (*add)(CLI::App& command);
};

/// Every verb, in the order of the help page.
const std::vector<Verb>& verbs();

Action add_train(CLI::App& command);
Action add_eval(CLI::App& command);
Action add_translate(CLI::App& command);
Action add_generate(CLI::App& command);
Action add_score(CLI::App& command);
Action add_prepare(CLI::App& command);
Action add_export(CLI::App& command);
Action add_import(CLI::App& command);
Action add_average(CLI::App& command);
Action add_prune(CLI::App& command);
Action add_validate(CLI::App& command);
Action add_show(CLI::App& command);
Action add_schema(CLI::App& command);
Action add_estimate(CLI::App& command);
Action add_inspect(CLI::App& command);
Action add_sweep(CLI::App& command);
Action add_report(CLI::App& command);
Action add_recipes(CLI::App& command);
Action add_doctor(CLI::App& command);
Action add_slurm(CLI::App& command);

/// Adds the example lines under a verb's help.
void examples(CLI::App& command, const std::string& lines);

/// Throws UserError where `--out` names something that is there already and is no empty folder.
void require_new_folder(const std::string& out);

/// `--weights`: the trained ones or an average of train.ema.
void add_weights_option(CLI::App& command, std::string& weights);

/// Loads and checks a recipe; warnings and notes go to stderr.
///   throws    recipe::RecipeError with every problem there is
recipe::Recipe load_recipe(const std::string& path, const std::vector<std::string>& overrides,
                           const CommonFlags& flags);

/// Lines "test/bleu<tab>27.92<tab>signature" on stdout; a value that needs no signature ends its line.
void print_results(const std::map<std::string, double>& values, const std::map<std::string, std::string>& signatures);

/// Where `builtin:NAME` comes from.
recipe::BuiltinRecipes builtin_lookup();

/// Whether error, warning, note and hint are coloured on stderr.
bool coloured(const CommonFlags& flags);

}  // namespace sst::app
