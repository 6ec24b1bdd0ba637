#include <fmt/core.h>

#include <algorithm>
#include <cctype>
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

bool has_word(std::string_view text, const std::string& word) {
  const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

/// Those that have `word` in name or text; without one all but smoke/, which are for tests.
std::vector<recipe::BuiltinRecipe> recipes_with(const std::string& word) {
  std::vector<recipe::BuiltinRecipe> found;
  for (const auto& recipe : recipe::builtin_recipes())
    if (word.empty() ? !starts_with(recipe.name, "smoke/") : has_word(recipe.name, word) || has_word(recipe.text, word))
      found.push_back(recipe);
  return found;
}

void list_recipes(const std::string& word, bool as_json) {
  const auto recipes = recipes_with(word);
  if (as_json) {
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const auto& recipe : recipes) json.push_back({{"name", recipe.name}, {"summary", summary(recipe.text)}});
    fmt::print("{}\n", json.dump(2));
    return;
  }
  size_t width = 0;
  for (const auto& recipe : recipes) width = std::max(width, recipe.name.size());
  for (const auto& recipe : recipes) fmt::print("{:<{}}  {}\n", recipe.name, width, summary(recipe.text));
  if (recipes.empty()) fmt::print(stderr, "no recipe has '{}' in it\n", word);
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
  command.add_option("name", options->name, "a recipe's name; with ls: only those that have this word in them")
      ->type_name("NAME");
  command.add_option("destination", options->destination, "file or folder for cp")->type_name("DEST");
  examples(command,
           "  sst-train recipes ls\n"
           "  sst-train recipes ls 2310.04415\n"
           "  sst-train recipes show graphs/cora_nc\n"
           "  sst-train recipes cp quickstart my_first.yaml");
  return [options](const CommonFlags& common) {
    if (options->what == "ls") {
      list_recipes(options->name, common.json);
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
