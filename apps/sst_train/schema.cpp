#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "recipe/json_schema.hpp"
#include "recipe/markdown.hpp"
#include "run/recipe_schema.hpp"
#include "verb.hpp"

namespace sst::app {

Action add_schema(CLI::App& command) {
  struct Options {
    std::string section;
    bool markdown = false;
  };
  const auto options = std::make_shared<Options>();
  command.description("JSON Schema of recipes, or the keys of one section");
  command.add_option("section", options->section, "such as method, or top for the top level")->type_name("SECTION");
  command.add_flag("--markdown", options->markdown, "the whole table as docs/recipes.md has it");
  examples(command, "  sst-train schema > sst-train.schema.json\n  sst-train schema method");
  return [options](const CommonFlags& common) {
    const auto& schema = run::recipe_schema();
    if (options->markdown) {
      fmt::print("# Recipe keys\n\nWritten by `make docs` from the table that the parser itself uses.\n\n{}",
                 recipe::markdown(schema));
    } else if (common.json || options->section.empty()) {
      fmt::print("{}\n", recipe::json_schema(schema, options->section).dump(2));
    } else {
      fmt::print("{}", recipe::plain_section(schema, options->section == "top" ? "" : options->section));
    }
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
