#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "core/text.hpp"
#include "recipe/builtin.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

/// What a recipe says of itself: the first comment after the schema line.
std::string summary(std::string_view text) {
  for (const std::string& line : split(text, '\n')) {
    if (!starts_with(line, "#")) break;
    if (!starts_with(line, "# yaml-language-server")) return trim(line.substr(1));
  }
  return {};
}

void list_recipes(bool as_json) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  size_t width = 0;
  for (const auto& recipe : recipe::builtin_recipes()) width = std::max(width, recipe.name.size());
  for (const auto& recipe : recipe::builtin_recipes()) {
    if (as_json) {
      json.push_back({{"name", recipe.name}, {"summary", summary(recipe.text)}});
    } else {
      fmt::print("{:<{}}  {}\n", recipe.name, width, summary(recipe.text));
    }
  }
  if (as_json) fmt::print("{}\n", json.dump(2));
}

void copy_recipe(const std::string& name, const std::string& destination) {
  const auto& recipe = recipe::find_builtin_recipe(name);
  std::filesystem::path target =
      destination.empty() ? std::filesystem::path(recipe.name).filename() : std::filesystem::path(destination);
  if (is_folder(target)) target /= std::filesystem::path(recipe.name).filename();
  if (path_exists(target)) throw UserError("'" + target.string() + "' exists already", "name another file");
  write_file_atomically(target, recipe.text);
  fmt::print("{}\n", target.string());
}

}  // namespace

Action add_recipes(CLI::App& command) {
  struct Options {
    std::string what, name, destination;
  };
  const auto options = std::make_shared<Options>();
  command.description("the recipes shipped inside the program");
  command.add_option("what", options->what, "ls, show or cp")->required()->type_name("ls|show|cp");
  command.add_option("name", options->name, "a recipe's name")->type_name("NAME");
  command.add_option("destination", options->destination, "file or folder for cp")->type_name("DEST");
  examples(command,
           "  sst-train recipes ls\n"
           "  sst-train recipes show graphs/cora_nc\n"
           "  sst-train recipes cp quickstart my_first.yaml");
  return [options](const CommonFlags& common) {
    if (options->what == "ls") {
      list_recipes(common.json);
      return ExitCode::kDone;
    }
    if (options->what != "show" && options->what != "cp")
      throw UserError("'recipes " + options->what + "' is unknown", "use ls, show NAME or cp NAME [DEST]");
    if (options->name.empty())
      throw UserError("'recipes " + options->what + "' needs the name of a recipe",
                      "`sst-train recipes ls` lists them");
    if (options->what == "show") {
      fmt::print("{}", recipe::find_builtin_recipe(options->name).text);
    } else {
      copy_recipe(options->name, options->destination);
    }
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
