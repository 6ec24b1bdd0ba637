#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "core/number.hpp"
#include "recipe/load.hpp"
#include "run/recipe_schema.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

constexpr const char* kNoam =
    "noam is inverse_sqrt with\n"
    "  optim.lr = factor * hidden_size^-0.5 * warmup_steps^-0.5   (the peak rate)\n"
    "  schedule.warmup_steps = the same warm-up\n"
    "for example factor 2, hidden_size 64, warm-up 6000: optim.lr = 3.2275e-3\n";

recipe::Recipe load_only(const std::string& path, const std::vector<std::string>& overrides) {
  recipe::Diagnostics diagnostics;
  const auto recipe =
      recipe::load(path, {.overrides = overrides, .builtin = builtin_lookup()}, run::recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  return recipe;
}

/// Numbers, booleans, lists and mappings as such.
nlohmann::ordered_json as_json(const recipe::Node& node, recipe::Type type) {
  if (node.is_null()) return nullptr;
  if (node.is_scalar()) {
    if (node.quoted || type == recipe::Type::kString || type == recipe::Type::kPath) return node.text;
    if (node.text == "true" || node.text == "false") return node.text == "true";
    if (const auto whole = number_from<int64_t>(node.text)) return *whole;
    if (const auto number = number_from<double>(node.text)) return *number;
    return node.text;
  }
  auto json = node.is_list() ? nlohmann::ordered_json::array() : nlohmann::ordered_json::object();
  for (const recipe::Node& child : node.children)
    if (node.is_list())
      json.push_back(as_json(child, type));
    else
      json[child.key] = as_json(child, type);
  return json;
}

void print_differences(const recipe::Recipe& ours, const recipe::Recipe& theirs, bool in_json) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const auto& difference : ours.differences(theirs)) {
    if (in_json) {
      json.push_back({{"key", difference.key}, {"ours", difference.ours}, {"theirs", difference.theirs}});
    } else {
      const auto shown = [](const std::string& value) { return value.empty() ? std::string("(none)") : value; };
      fmt::print("{}: {} -> {}\n", difference.key, shown(difference.ours), shown(difference.theirs));
    }
  }
  if (in_json) fmt::print("{}\n", json.dump(2));
}

}  // namespace

Action add_show(CLI::App& command) {
  struct Options {
    std::string recipe, other;
    bool origin = false;
  };
  const auto options = std::make_shared<Options>();
  command.description("prints the resolved recipe: every value, inherited, overridden or default");
  command.add_option("recipe", options->recipe, "the recipe, builtin:NAME, or noam")
      ->required()
      ->type_name("RECIPE.yaml");
  command.add_flag("--origin", options->origin, "with the file and line each value came from");
  command.add_option("--diff", options->other, "the values in which another recipe differs")->type_name("OTHER.yaml");
  command.allow_extras();
  examples(command,
           "  sst-train show recipes/graphs/cora_nc.yaml --origin\n"
           "  sst-train show recipes/graphs/cora_nc.yaml --diff recipes/graphs/cora_lp.yaml");
  return [options, &command](const CommonFlags& common) {
    if (options->recipe == "noam") {
      fmt::print("{}", kNoam);
      return ExitCode::kDone;
    }
    const auto recipe = load_only(options->recipe, command.remaining());
    if (!options->other.empty()) {
      print_differences(recipe, load_only(options->other, command.remaining()), common.json);
    } else if (common.json) {
      nlohmann::ordered_json json;
      for (const auto& setting : recipe.settings()) json[setting.path] = as_json(setting.value, setting.type.type);
      fmt::print("{}\n", json.dump(2));
    } else {
      fmt::print("{}", options->origin ? recipe.to_yaml_with_origins() : recipe.to_yaml());
    }
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
