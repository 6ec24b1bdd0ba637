#include "verb.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <filesystem>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/terminal.hpp"
#include "recipe/builtin.hpp"
#include "recipe/load.hpp"
#include "recipe/sweep.hpp"
#include "run/checks.hpp"
#include "run/recipe_schema.hpp"

namespace sst::app {

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> list = {
      {"train", add_train},       {"eval", add_eval},       {"translate", add_translate}, {"generate", add_generate},
      {"score", add_score},       {"prepare", add_prepare}, {"validate", add_validate},   {"show", add_show},
      {"estimate", add_estimate}, {"inspect", add_inspect}, {"export", add_export},       {"import", add_import},
      {"average", add_average},   {"prune", add_prune},     {"sweep", add_sweep},         {"report", add_report},
      {"recipes", add_recipes},   {"schema", add_schema},   {"doctor", add_doctor},       {"slurm", add_slurm},
  };
  return list;
}

void examples(CLI::App& command, const std::string& lines) { command.footer("Examples:\n" + lines); }

void require_new_folder(const std::string& out) {
  namespace fs = std::filesystem;
  if (path_exists(out) && !(is_folder(out) && fs::is_empty(out)))
    throw UserError("'" + out + "' is there already", "name a new folder with --out");
}

void add_weights_option(CLI::App& command, std::string& weights) {
  command.add_option("--weights", weights, "trained (default), or an average of train.ema, as ema_0.999")
      ->type_name("NAME");
}

void print_results(const std::map<std::string, double>& values, const std::map<std::string, std::string>& signatures) {
  for (const auto& [name, value] : values) {
    const auto signature = signatures.find(name);
    fmt::print("{}\t{:.6g}{}\n", name, value, signature == signatures.end() ? "" : "\t" + signature->second);
  }
}

bool coloured(const CommonFlags& flags) { return use_color(flags.color, stderr_screen().is_terminal); }

recipe::BuiltinRecipes builtin_lookup() {
  return [](const std::string& name) -> std::optional<std::string> {
    for (const auto& recipe : recipe::builtin_recipes())
      if (recipe.name == name || recipe.name == name + ".yaml") return std::string(recipe.text);
    return std::nullopt;
  };
}

recipe::Recipe load_recipe(const std::string& path, const std::vector<std::string>& overrides,
                           const CommonFlags& flags) {
  recipe::Diagnostics diagnostics;
  const auto recipe =
      recipe::load(path, {.overrides = overrides, .builtin = builtin_lookup()}, run::recipe_schema(), diagnostics);
  run::check_recipe(recipe, diagnostics);
  diagnostics.throw_if_errors();
  if (recipe::is_collection(recipe))
    throw UserError("'" + path + "' is a list of recipes", "`sst-train sweep " + path + "` trains them all");
  if (!flags.quiet) fmt::print(stderr, "{}", diagnostics.render(coloured(flags)));
  return recipe;
}

}  // namespace sst::app
