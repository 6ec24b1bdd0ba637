#include "recipe/diagnostics.hpp"

#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"

namespace sst::recipe_test {

using namespace recipe;

namespace {

std::shared_ptr<const Source> source_with(int lines, const std::string& text) {
  return std::make_shared<Source>(
      Source{"recipes/sst_d64.yaml", std::string(static_cast<size_t>(lines - 1), '\n') + text + "\nmore\n"});
}

}  // namespace

TEST_CASE("a report looks as the documentation shows it", "[recipe]") {
  Diagnostics diagnostics;
  const auto recipe = source_with(31, "  learning_rate: 8e-3");
  diagnostics.error("E-unknown-key", Place::in(recipe, 31, 3, 13), "unknown key 'optim.learning_rate'",
                    "this key is called 'lr' here");
  diagnostics.error("E-rank", Place::in(source_with(22, "  rank: 128"), 22, 9, 3),
                    "'method.rank' is 128, but layer decoder.0.self_attn.q_proj is 64 x 64", "use at most 64");
  diagnostics.note(Place::in(std::make_shared<Source>(Source{"recipes/base.yaml", ""}), 7, 16),
                   "'model.hidden_size: 64' comes from here");
  diagnostics.error("E-unknown-key", Place::command_line("train.max_step=100"), "unknown key",
                    "did you mean 'train.max_steps'?");
  CHECK(diagnostics.render() == R"(recipes/sst_d64.yaml:31:3: error: unknown key 'optim.learning_rate' [E-unknown-key]
   31 |   learning_rate: 8e-3
      |   ^^^^^^^^^^^^^
   hint: this key is called 'lr' here
recipes/sst_d64.yaml:22:9: error: 'method.rank' is 128, but layer decoder.0.self_attn.q_proj is 64 x 64 [E-rank]
   22 |   rank: 128
      |         ^^^
   hint: use at most 64
recipes/base.yaml:7:16: note: 'model.hidden_size: 64' comes from here
command line: error: override 'train.max_step=100': unknown key [E-unknown-key]
   hint: did you mean 'train.max_steps'?
3 errors, 0 warnings. Nothing was started.   (sst-train schema method  lists the keys)
)");
}

TEST_CASE("errors of data alone end with the code of data, any other one with that of the recipe", "[recipe]") {
  Diagnostics diagnostics;
  CHECK(diagnostics.exit_code() == ExitCode::kDone);
  diagnostics.error("E-data", Place::in(source_with(9, "  train: {src: a.de}"), 9, 15, 4), "'a.de' is empty",
                    "prepare it again");
  CHECK(diagnostics.render().rfind("recipes/sst_d64.yaml:9:15: error: 'a.de' is empty [E-data]\n", 0) == 0);
  CHECK(diagnostics.exit_code() == ExitCode::kData);
  diagnostics.error("E-rank", Place::command_line("method.rank=9"), "too large", "");
  CHECK(diagnostics.exit_code() == ExitCode::kUsage);
}

TEST_CASE("colour marks only the words error, warning, note and hint", "[recipe]") {
  Diagnostics diagnostics;
  diagnostics.warning("W-lr", Place::command_line("optim.lr=9"), "unusual", "is this right?");
  CHECK(diagnostics.render(true) ==
        "command line: \x1b[1;33mwarning\x1b[0m: override 'optim.lr=9': unusual [W-lr]\n"
        "   \x1b[1;32mhint\x1b[0m: is this right?\n");
}

TEST_CASE("twenty errors are shown and the rest are counted, with their notes", "[recipe]") {
  Diagnostics diagnostics;
  for (int i = 0; i < 23; ++i) {
    diagnostics.error("E-x", Place{}, "problem " + std::to_string(i));
    diagnostics.note(Place{}, "note " + std::to_string(i));
  }
  const std::string text = diagnostics.render();
  CHECK_THAT(text, ContainsSubstring("problem 19 [E-x]\nnote: note 19\n... and 3 errors more\n23 errors, 0 warnings."));
  CHECK_THAT(text, !ContainsSubstring("problem 20"));
  CHECK_THAT(text, !ContainsSubstring("note 20"));
}

TEST_CASE("one problem is reported once", "[recipe]") {
  Diagnostics diagnostics;
  diagnostics.error("E-x", Place{}, "a");
  diagnostics.error("E-x", Place{}, "a");
  diagnostics.error("E-x", Place{}, "b");
  CHECK(diagnostics.errors() == 2);
}

TEST_CASE("strict makes warnings errors, but for those about the machine", "[recipe]") {
  Diagnostics diagnostics;
  diagnostics.warning("W-lr", Place{}, "unusual rate");
  diagnostics.machine_warning("W-memory", Place{}, "little memory");
  CHECK_FALSE(diagnostics.has_errors());
  CHECK_NOTHROW(diagnostics.throw_if_errors());
  diagnostics.promote_warnings();
  CHECK(diagnostics.errors() == 1);
  CHECK(diagnostics.warnings() == 1);
}

TEST_CASE("the exception carries the whole report and exit code 2", "[recipe]") {
  Diagnostics diagnostics;
  diagnostics.error("E-x", Place{}, "a");
  try {
    diagnostics.throw_if_errors();
    FAIL("nothing was thrown");
  } catch (const RecipeError& error) {
    CHECK(error.what() == diagnostics.render());
    CHECK(error.code() == ExitCode::kUsage);
    CHECK(error.diagnostics().errors() == 1);
  }
}

TEST_CASE("the underline stands below the value after tabs, wide letters and far to the right", "[recipe]") {
  Diagnostics diagnostics;
  const auto recipe = std::make_shared<Source>(Source{"r.yaml", "\té: x\n" + std::string(150, 'a') + "b\n"});
  diagnostics.error("E-x", Place::in(recipe, 1, 5, 1), "a");
  diagnostics.error("E-x", Place::in(recipe, 2, 151, 9), "b");
  CHECK(diagnostics.render() ==
        "r.yaml:1:5: error: a [E-x]\n    1 | \té: x\n      | \t   ^\n"
        "r.yaml:2:151: error: b [E-x]\n    2 | " +
            std::string(80, 'a') + "b\n      | " + std::string(80, ' ') + "^\n" +
            "2 errors, 0 warnings. Nothing was started.   (sst-train schema  lists the keys)\n");
}

TEST_CASE("what a user typed reaches neither terminal nor JSON as control characters", "[recipe]") {
  Diagnostics diagnostics;
  diagnostics.error("E-x", Place::command_line("a=\x1b[2J\xff\n"), "b\x07", "c\td");
  CHECK(diagnostics.render().substr(0, diagnostics.render().find("1 error")) ==
        "command line: error: override 'a=?[2J? ': b? [E-x]\n   hint: c d\n");
  CHECK_NOTHROW(diagnostics.to_json().dump());
}

TEST_CASE("the JSON form names file, line and column", "[recipe]") {
  Diagnostics diagnostics;
  diagnostics.error("E-x", Place::in(source_with(2, "a: 1"), 2, 4), "wrong", "right it");
  const auto json = diagnostics.to_json();
  CHECK(json["errors"] == 1);
  CHECK(
      json["diagnostics"][0].dump() ==
      R"({"severity":"error","id":"E-x","file":"recipes/sst_d64.yaml","line":2,"column":4,"message":"wrong","hint":"right it"})");
}

}  // namespace sst::recipe_test
