#include <fmt/core.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "core/text.hpp"
#include "recipe/builtin.hpp"
#include "recipe/sweep.hpp"
#include "run/checks.hpp"
#include "run/recipe_schema.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

/// The recipes an argument stands for: a file, or every recipe under a folder.
std::vector<std::string> recipes_under(const std::string& argument) {
  if (!is_folder(argument)) return {argument};
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(argument)) {
    const std::string path = entry.path().string();
    if (entry.is_regular_file() && (ends_with(path, ".yaml") || ends_with(path, ".yml"))) files.push_back(path);
  }
  if (files.empty()) throw UserError("there is no recipe under '" + argument + "'", "recipes end in .yaml or .yml");
  std::sort(files.begin(), files.end());
  return files;
}

/// A recipe and, where it has a sweep, every point of it.
recipe::Diagnostics check(const std::string& file, const std::vector<std::string>& overrides) {
  recipe::Diagnostics diagnostics;
  const recipe::LoadOptions load{.overrides = overrides, .builtin = builtin_lookup()};
  const auto recipe = recipe::load(file, load, run::recipe_schema(), diagnostics);
  run::check_recipe(recipe, diagnostics);
  if (diagnostics.has_errors() || !recipe.given("sweep")) return diagnostics;
  recipe::Diagnostics of_points;
  for (const auto& point : recipe::expand(file, load, run::recipe_schema(), of_points))
    run::check_recipe(point.recipe, of_points);
  for (const auto& diagnostic : of_points.all())
    if (diagnostic.severity == recipe::Severity::kError) return diagnostics.add(of_points), diagnostics;
  return diagnostics;
}

}  // namespace

Action add_validate(CLI::App& command) {
  struct Options {
    std::vector<std::string> arguments;
    bool strict = false;
  };
  const auto options = std::make_shared<Options>();
  command.description("checks recipes, and every point of their sweeps, without training or writing anything");
  command.add_option("recipe", options->arguments, "recipes, folders of recipes, key=value overrides")
      ->required()
      ->type_name("RECIPE...");
  command.add_flag("--strict", options->strict, "warnings count as errors");
  examples(command, "  sst-train validate recipes --strict\n  sst-train validate recipe.yaml method.rank=4");
  return [options](const CommonFlags& common) {
    std::vector<std::string> files, overrides;
    for (const std::string& argument : options->arguments) {
      if (argument.find('=') != std::string::npos) {
        overrides.push_back(argument);
      } else {
        for (const std::string& file : recipes_under(argument)) files.push_back(file);
      }
    }
    if (files.empty()) throw UserError("no recipe was named", "give a file or a folder");
    size_t errors = 0, warnings = 0;
    ExitCode code = ExitCode::kDone;  // that of a wrong recipe counts more than that of wrong data
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const std::string& file : files) {
      recipe::Diagnostics diagnostics = check(file, overrides);
      if (options->strict) diagnostics.promote_warnings();
      errors += diagnostics.errors();
      if (code != ExitCode::kUsage && diagnostics.has_errors()) code = diagnostics.exit_code();
      warnings += diagnostics.warnings();
      if (common.json) json.push_back({{"recipe", file}, {"result", diagnostics.to_json()}});
      if (!common.quiet || diagnostics.has_errors()) fmt::print(stderr, "{}", diagnostics.render(coloured(common)));
      if (!common.json && !common.quiet) fmt::print("{}: {}\n", file, diagnostics.has_errors() ? "wrong" : "ok");
    }
    if (common.json) fmt::print("{}\n", json.dump(2));
    if (files.size() > 1 && !common.json)
      fmt::print("{} recipes, {} errors, {} warnings\n", files.size(), errors, warnings);
    return code;
  };
}

}  // namespace sst::app
