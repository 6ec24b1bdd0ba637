#include "recipe/documents.hpp"

#include "tests/recipe/test_schema.hpp"
#include "tests/support/catch.hpp"

namespace sst::recipe_test {
namespace {

Recipe good_file(const std::string& path, const LoadOptions& options = {}) {
  Diagnostics diagnostics;
  Recipe recipe = load(path, options, schema(), diagnostics);
  diagnostics.throw_if_errors();
  return recipe;
}

std::string report_of_file(const std::string& path) {
  Diagnostics diagnostics;
  load(path, {}, schema(), diagnostics);
  return diagnostics.render();
}

}  // namespace

TEST_CASE("mappings merge key by key, lists and scalars are replaced, null removes", "[recipe]") {
  const Folder folder;
  folder.write("base.yaml", kHead +
                                "description: base\n"
                                "model: {hidden_size: 64, num_layers: 4, dropout: 0.5}\n"
                                "eval: {metrics: [loss, f1], every: 7}\n"
                                "train: {max_steps: 5}\n");
  const auto path = folder.write("r.yaml",
                                 "recipe_version: 1\ninherit: base.yaml\nname: b\n"
                                 "model: {num_layers: 2, dropout: null}\n"
                                 "eval: {metrics: [accuracy]}\n"
                                 "description: ~\ntrain: {max_steps: ~}\n");
  const Recipe recipe = good_file(path);
  CHECK(recipe.text("name") == "b");
  CHECK(recipe.text("model.hidden_size") == "64");
  CHECK(recipe.text("model.num_layers") == "2");
  CHECK(recipe.text("model.dropout") == "0");  // the default
  CHECK(recipe.text("eval.metrics") == "[accuracy]");
  CHECK(recipe.text("eval.every") == "7");
  CHECK_FALSE(recipe.has("description"));
  CHECK_FALSE(recipe.has("train.max_steps"));
  CHECK(recipe.place("model.hidden_size").text() == (folder.path() / "base.yaml").string() + ":5:22");
  CHECK(recipe.place("model.num_layers").text() == path + ":4:21");
}

TEST_CASE("several parents are laid over one another in their order", "[recipe]") {
  const Folder folder;
  folder.write("a/one.yaml", "recipe_version: 1\nmodel: {hidden_size: 1, num_layers: 1}\ntask: link_prediction\n");
  folder.write("a/two.yaml", "recipe_version: 1\ninherit: ../three.yaml\nmodel: {num_layers: 2}\nname: x\n");
  folder.write("three.yaml", "recipe_version: 1\nmodel: {hidden_size: 3, dropout: 0.3}\n");
  const auto path = folder.write("r.yaml", "recipe_version: 1\ninherit: [a/one.yaml, a/two.yaml]\n");
  const Recipe recipe = good_file(path);
  CHECK(recipe.text("model.hidden_size") == "3");
  CHECK(recipe.text("model.num_layers") == "2");
  CHECK(recipe.text("model.dropout") == "0.3");
}

TEST_CASE("a preset is replaced as a whole and refined key by key", "[recipe]") {
  const Folder folder;
  folder.write("base.yaml", kHead + "precision: bf16_mixed\n");
  const auto refined = folder.write("r.yaml", "recipe_version: 1\ninherit: base.yaml\nprecision: {params: fp64}\n");
  CHECK(good_file(refined).text("precision.compute") == "bf16");
  CHECK(good_file(refined).text("precision.params") == "fp64");
  const auto replaced = folder.write("s.yaml", "recipe_version: 1\ninherit: r.yaml\nprecision: fp32\n");
  CHECK(good_file(replaced).text("precision.compute") == "fp32");
  CHECK(good_file(replaced).text("precision.params") == "fp32");
}

TEST_CASE("built-in recipes inherit from one another by their own paths", "[recipe]") {
  LoadOptions options;
  options.builtin = [](const std::string& name) -> std::optional<std::string> {
    if (name == "graphs/nc.yaml") return kHead + "model: {hidden_size: 5}\n";
    if (name == "graphs/lp.yaml") return "recipe_version: 1\ninherit: nc.yaml\ntask: link_prediction\n";
    return std::nullopt;
  };
  CHECK(good_file("builtin:graphs/lp.yaml", options).text("model.hidden_size") == "5");
  const Folder folder;
  const auto path = folder.write("r.yaml", "recipe_version: 1\ninherit: builtin:graphs/nc.yaml\nname: mine\n");
  CHECK(good_file(path, options).text("name") == "mine");
  Diagnostics diagnostics;
  load("builtin:none.yaml", options, schema(), diagnostics);
  CHECK(diagnostics.all()[0].message == "there is no built-in recipe 'none.yaml'");
}

TEST_CASE("a recipe that inherits from itself is refused where it closes the circle", "[recipe]") {
  const Folder folder;
  const auto path = folder.write("r.yaml", "recipe_version: 1\ninherit: sub/b.yaml\n");
  const auto other = folder.write("sub/b.yaml", "recipe_version: 1\ninherit: ../sub/../r.yaml\n");
  CHECK(report_of_file(path) == other + ":2:10: error: '" + path +
                                    "' inherits from itself [E-inherit]\n"
                                    "    2 | inherit: ../sub/../r.yaml\n"
                                    "      |          ^^^^^^^^^^^^^^^^\n"
                                    "   hint: the chain of inherit must end\n"
                                    "1 error, 0 warnings. Nothing was started.   (sst-train schema  lists the keys)\n");
}

TEST_CASE("a chain has at most eight files and a tree at most sixty-four", "[recipe]") {
  const Folder folder;
  folder.write("1.yaml", kHead);
  for (int i = 2; i <= 9; ++i)
    folder.write(std::to_string(i) + ".yaml", "recipe_version: 1\ninherit: " + std::to_string(i - 1) + ".yaml\n");
  CHECK_NOTHROW(good_file((folder.path() / "8.yaml").string()));
  CHECK_THAT(report_of_file((folder.path() / "9.yaml").string()),
             ContainsSubstring("inherit goes through more than 8 files in a row [E-inherit]"));
  std::string wide = "recipe_version: 1\ninherit: [7.yaml";
  for (int i = 0; i < 20; ++i) wide += ", 7.yaml";
  CHECK_THAT(report_of_file(folder.write("wide.yaml", wide + "]\n")),
             ContainsSubstring("inherit goes through more than 64 files [E-inherit]"));
}

TEST_CASE("a parent that is missing is reported where it is named, and the rest is checked all the same", "[recipe]") {
  const Folder folder;
  const auto path = folder.write("r.yaml", "recipe_version: 1\ninherit: gone.yaml\nmodel: {hidden_size: 0}\n");
  CHECK(report_of_file(path) ==
        path + ":2:10: error: cannot read '" + (folder.path() / "gone.yaml").string() +
            "': No such file or directory [E-file]\n"
            "    2 | inherit: gone.yaml\n"
            "      |          ^^^^^^^^^\n"
            "   hint: paths in 'inherit' are relative to the file that says them\n" +
            path +
            ":3:22: error: 'model.hidden_size' is 0 but must be at least 1 [E-range]\n"
            "    3 | model: {hidden_size: 0}\n"
            "      |                      ^\n"
            "2 errors, 0 warnings. Nothing was started.   (sst-train schema model  lists the keys)\n");
  CHECK_THAT(report_of_file(folder.write("s.yaml", "recipe_version: 1\ninherit: {a: b}\n")),
             ContainsSubstring("'inherit' is a mapping but must be a path or a list of paths [E-inherit]"));
  CHECK_THAT(report_of_file(folder.path().string()), ContainsSubstring("it is not a file [E-file]"));
  const std::string too_long(300, 'x');
  CHECK_THAT(report_of_file(folder.write("l.yaml", "recipe_version: 1\ninherit: " + too_long + "\n")),
             ContainsSubstring("l.yaml:2:10: error: cannot read") &&
                 ContainsSubstring(too_long + "': File name too long [E-file]"));
}

TEST_CASE("every file of a chain says its version", "[recipe]") {
  const Folder folder;
  folder.write("base.yaml", "name: a\ntask: link_prediction\n");
  const auto path = folder.write("r.yaml", "recipe_version: 1\ninherit: base.yaml\n");
  CHECK(report_of_file(path) == (folder.path() / "base.yaml").string() +
                                    ": error: 'recipe_version' is missing [E-missing]\n"
                                    "   hint: start with the line 'recipe_version: 1'\n"
                                    "1 error, 0 warnings. Nothing was started.   (sst-train schema  lists the keys)\n");
}

TEST_CASE("text stands for other values, the recipe's folder and, in paths, the environment", "[recipe]") {
  const Folder folder;
  const auto path = folder.write(
      "sub/r.yaml", kHead +
                        "description: \"${model.family} of ${model.hidden_size}, $${left}, $$${model.num_layers}\"\n"
                        "data: {dir: \"${recipe_dir}/x\"}\n"
                        "data_root: ${env:SST_TEST_NOT_SET:-/fallback}/${task}\n");
  const Recipe recipe = good_file(path);
  CHECK(recipe.value<std::string>("name") == "a");
  CHECK(recipe.read<TopOptions>("").description == "hybonet_gcn of 16, ${left}, $${model.num_layers}");
  CHECK(recipe.read<DataOptions>("data").dir->text ==
        (std::filesystem::weakly_canonical(folder.path()) / "sub").string() + "/x");
  CHECK(recipe.read<TopOptions>("").data_root.text == "/fallback/node_classification");
  CHECK(good("data: {dir: \"${env:HOME_OF_DATA}/y\"}\n").text("data.dir") == "/corpora/y");
}

TEST_CASE("text that doubles itself in a chain ends before memory does", "[recipe]") {
  std::string doubling = "${name}";
  for (int i = 0; i < 17; ++i) doubling += doubling;  // 131,072 times one letter
  CHECK_THAT(problems("description: \"" + doubling + "\"\n"), ContainsSubstring("[E-interpolation]"));
}

}  // namespace sst::recipe_test
