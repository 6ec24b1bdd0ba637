#include "recipe/sweep.hpp"

#include "recipe/report_options.hpp"
#include "tests/recipe/test_schema.hpp"
#include "tests/support/catch.hpp"

namespace sst::recipe_test {
namespace {

std::vector<SweepPoint> points_of(const std::string& body, Diagnostics& diagnostics,
                                  std::vector<std::string> overrides = {}) {
  const Folder folder;
  const auto path = folder.write("r.yaml", kHead + body);
  return expand(path, {.overrides = std::move(overrides)}, schema(), diagnostics);
}

/// Each point as the overrides that make it.
std::vector<std::string> lines(const std::string& body, std::vector<std::string> overrides = {}) {
  Diagnostics diagnostics;
  std::vector<std::string> result;
  for (const auto& point : points_of(body, diagnostics, std::move(overrides))) {
    std::string line;
    for (const auto& override : point.overrides) line += (line.empty() ? "" : " ") + override;
    result.push_back(line);
  }
  diagnostics.throw_if_errors();
  return result;
}

}  // namespace

TEST_CASE("a sweep is the product of its axes and seeds, the last one fastest", "[recipe]") {
  CHECK(lines("method: {name: lora, rank: 1}\n"
              "sweep: {axes: {method.rank: [1, 2], model.dropout: [0, 0.5]}, seeds: [7, 8]}\n") ==
        std::vector<std::string>{"method.rank=1 model.dropout=0 seed=7", "method.rank=1 model.dropout=0 seed=8",
                                 "method.rank=1 model.dropout=0.5 seed=7", "method.rank=1 model.dropout=0.5 seed=8",
                                 "method.rank=2 model.dropout=0 seed=7", "method.rank=2 model.dropout=0 seed=8",
                                 "method.rank=2 model.dropout=0.5 seed=7", "method.rank=2 model.dropout=0.5 seed=8"});
}

TEST_CASE("rows of tied keys move together and keep the recipe's value where they are silent", "[recipe]") {
  Diagnostics diagnostics;
  const auto points = points_of(
      "method: {name: sst, rank: 2}\nmodel: {dropout: 0.5}\n"
      "sweep:\n  tied:\n"
      "    - {method.name: full, model.dropout: 0.9}\n"
      "    - {method.name: lora, method.rank: 1}\n"
      "    - {method.name: sst}\n",
      diagnostics);
  CHECK_FALSE(diagnostics.has_errors());
  REQUIRE(points.size() == 3);
  CHECK(points[0].recipe.text("model.dropout") == "0.9");
  CHECK_FALSE(points[0].recipe.has("method.rank"));
  CHECK(points[1].recipe.text("model.dropout") == "0.5");
  CHECK(points[1].recipe.text("method.rank") == "1");
  CHECK(points[2].recipe.text("method.rank") == "2");
  CHECK_FALSE(points[0].recipe.given("sweep"));
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  CHECK(points[0].differing == Pairs{{"method.name", "full"}, {"model.dropout", "0.9"}});
  CHECK(points[1].differing == Pairs{{"method.name", "lora"}, {"model.dropout", "0.5"}, {"method.rank", "1"}});
}

TEST_CASE("points that resolve to the same recipe are one point", "[recipe]") {
  CHECK(
      lines("sweep: {axes: {method.name: [full, lora], method.rank: [1, 2]}}\n") ==
      std::vector<std::string>{"method.name=full", "method.name=lora method.rank=1", "method.name=lora method.rank=2"});
  CHECK(lines("sweep: {axes: {model.hidden_size: [1K, 1000]}}\n") == std::vector<std::string>{"model.hidden_size=1K"});
}

TEST_CASE("excluded points are left out by the meaning of their values", "[recipe]") {
  CHECK(lines("method: {name: lora, rank: 1}\nmodel: {dropout: 0.5}\n"
              "sweep:\n  axes: {method.rank: [1, 2], model.hidden_size: [1000, 64]}\n"
              "  exclude: [{method.rank: 2, model.hidden_size: 1K, model.dropout: .5}]\n") ==
        std::vector<std::string>{"method.rank=1 model.hidden_size=1000", "method.rank=1 model.hidden_size=64",
                                 "method.rank=2 model.hidden_size=64"});
}

TEST_CASE("a row that excludes nothing is a warning", "[recipe]") {
  Diagnostics diagnostics;
  points_of("sweep: {seeds: [1], exclude: [{method.name: sst}]}\n", diagnostics);
  CHECK_THAT(diagnostics.render(),
             ContainsSubstring("r.yaml:4:31: warning: this row excludes no point of the sweep [W-sweep]\n"
                               "    4 | sweep: {seeds: [1], exclude: [{method.name: sst}]}\n"
                               "      |                               ^\n"));
}

TEST_CASE("the command line wins over the sweep and is part of each point", "[recipe]") {
  CHECK(lines("method: {name: lora, rank: 1}\nsweep: {axes: {method.rank: [1, 2]}, seeds: [1, 2]}\n",
              {"method.rank=4", "optim.lr=0.5"}) ==
        std::vector<std::string>{"seed=1 method.rank=4 optim.lr=0.5", "seed=2 method.rank=4 optim.lr=0.5"});
  CHECK(lines("sweep: {seeds: [1, 2, 3]}\n", {"sweep.seeds=[5]"}) ==
        std::vector<std::string>{"seed=5 sweep.seeds=[5]"});
}

TEST_CASE("a point's overrides make the same run from the command line", "[recipe]") {
  const std::string body =
      "method: {name: sst, rank: 2, sampling: uniform}\n"
      "sweep: {axes: {method.name: [full, lora, sst], method.rank: [1, 2], data.src_lang: [\"a: b\", no]}, seeds: [1, "
      "2]}\n";
  Diagnostics diagnostics;
  const auto points = points_of(body, diagnostics);
  CHECK(points.size() == 20);  // full 1, lora 2, sst 2; times 2 languages, times 2 seeds
  for (const auto& point : points) {
    const Recipe alone = good(body, point.overrides);
    CHECK(alone.hash() == point.recipe.hash());
    CHECK(alone.text("seed") == point.recipe.text("seed"));
  }
}

TEST_CASE("what is wrong at any point is found before the first one starts, and once", "[recipe]") {
  Diagnostics diagnostics;
  points_of(
      "method: {name: lora, rank: 1}\noptim: {lr: -1}\nsweep: {axes: {method.rank: [1, 0, 9999]}, seeds: [1, 2]}\n",
      diagnostics);
  std::vector<std::string> found;
  for (const auto& one : diagnostics.all()) found.push_back(std::to_string(one.place.line) + " " + one.message);
  CHECK(found == std::vector<std::string>{"5 'optim.lr' is -1 but must be greater than 0",
                                          "6 'method.rank' is 0 but must lie in [1, 4096]",
                                          "6 'method.rank' is 9999 but must lie in [1, 4096]"});
}

TEST_CASE("what every point gives may be missing in the recipe itself", "[recipe]") {
  CHECK(lines("method: {name: lora}\nsweep: {axes: {method.rank: [3]}}\n") ==
        std::vector<std::string>{"method.rank=3"});
}

TEST_CASE("a recipe without a sweep, and one with too many points, are refused", "[recipe]") {
  Diagnostics none;
  points_of("", none);
  REQUIRE(none.errors() == 1);
  CHECK(none.all()[0].message == "this recipe has no sweep");
  std::string seeds = "[0";
  for (int i = 1; i < 200; ++i) seeds += ", " + std::to_string(i);
  Diagnostics many;
  points_of("sweep: {axes: {model.hidden_size: " + seeds.replace(1, 1, "1") + "], model.num_layers: " + seeds + "]}}\n",
            many);
  REQUIRE(many.errors() == 1);
  CHECK(many.all()[0].message == "the sweep has more than 10,000 points");
}

TEST_CASE("the report's plan holds settings that a run's recipe matches", "[recipe]") {
  Diagnostics diagnostics;
  const Recipe recipe = load_body(
      "method: {name: sst, rank: 2}\n"
      "report:\n  rows: [method.name, method.rank]\n  columns: model.hidden_size\n  metric: test/f1\n  best: max\n"
      "  compare_to: {method.name: full}\n  formats: [md, tex]\n"
      "  paper:\n    table: SST, Table 5\n    values:\n"
      "      - {method.name: sst, method.rank: 2, model.hidden_size: 1_6, value: 83.1, sd: 0.4}\n"
      "      - {method.name: full, value: 80}\n",
      diagnostics);
  const ReportPlan plan = read_report(recipe, schema(), diagnostics);
  CHECK(diagnostics.empty());
  CHECK(plan.rows == std::vector<std::string>{"method.name", "method.rank"});
  CHECK(plan.columns == std::vector<std::string>{"model.hidden_size"});
  CHECK(plan.metrics == std::vector<std::string>{"test/f1"});
  CHECK(plan.best == "max");
  CHECK(plan.formats == std::vector<std::string>{"md", "tex"});
  CHECK(plan.paper_table == "SST, Table 5");
  REQUIRE(plan.paper_values.size() == 2);
  CHECK(plan.paper_values[0].value == 83.1);
  CHECK(plan.paper_values[0].sd == 0.4);
  CHECK_FALSE(plan.paper_values[1].sd);
  CHECK(matches(plan.paper_values[0].setting, recipe));
  CHECK_FALSE(matches(plan.paper_values[1].setting, recipe));
  CHECK(matches(plan.compare_to, good("")));
}

TEST_CASE("a list of recipes is the points of their sweeps, each once, trained under their own files", "[recipe]") {
  const Folder folder;
  folder.write("a.yaml", kHead + std::string("method: {name: lora, rank: 1}\nsweep: {axes: {method.rank: [1, 2]}}\n"));
  folder.write("b.yaml", kHead + std::string("method: {name: lora, rank: 2}\n"));  // no sweep: one point, a's second
  folder.write("c.yaml", kHead + std::string("method: {name: lora, rank: 3}\n"));
  const auto path =
      folder.write("list.yaml", "recipe_version: 1\nname: list\nsweep: {recipes: [a.yaml, b.yaml, c.yaml]}\n");
  Diagnostics diagnostics;
  const Recipe list = load(path, {}, schema(), diagnostics);
  CHECK(is_collection(list));
  CHECK(diagnostics.render(false).empty());
  const auto points = expand(path, {.overrides = {"seed=7"}}, schema(), diagnostics);
  CHECK(diagnostics.render(false).empty());
  REQUIRE(points.size() == 3);
  std::vector<std::string> ranks;
  for (const auto& point : points) {
    ranks.push_back(point.recipe.text("method.rank") + " of " + std::filesystem::path(point.file).filename().string());
    CHECK(point.recipe.text("seed") == "7");
    CHECK(point.overrides.back() == "seed=7");
  }
  CHECK(ranks == std::vector<std::string>{"1 of a.yaml", "2 of a.yaml", "3 of c.yaml"});
}

TEST_CASE("a list of recipes says nothing else to train and lists no list", "[recipe]") {
  const Folder folder;
  const auto list = folder.write("list.yaml", "recipe_version: 1\nname: list\nsweep: {recipes: [list.yaml]}\n");
  Diagnostics of_points;
  expand(list, {}, schema(), of_points);
  CHECK_THAT(of_points.render(false), ContainsSubstring("'list.yaml' lists recipes itself [E-sweep]"));
  const auto both = folder.write(
      "both.yaml", "recipe_version: 1\nname: both\nseed: 3\nsweep: {recipes: [list.yaml], seeds: [1, 2]}\n");
  Diagnostics diagnostics;
  load(both, {}, schema(), diagnostics);
  CHECK_THAT(diagnostics.render(false),
             ContainsSubstring("both.yaml:3:7: error: 'seed' stands beside 'sweep.recipes'"));
  CHECK_THAT(diagnostics.render(false), ContainsSubstring("'sweep.seeds' stands beside 'sweep.recipes'"));
}

TEST_CASE("a printed value has its metric, seeds and note", "[recipe]") {
  const Folder folder;
  const auto path = folder.write(
      "r.yaml", kHead + std::string("method: {name: full}\nreport:\n  metric: [test/f1, zero_shot/boolq]\n  paper:\n"
                                    "    values: [{method.name: full, metric: zero_shot/boolq, value: 59.5, sd: 0.5, "
                                    "seeds: 3, note: NaN}]\n"));
  Diagnostics diagnostics;
  const auto plan = read_report(load(path, {}, schema(), diagnostics), schema(), diagnostics);
  CHECK(diagnostics.render(false).empty());
  CHECK(plan.metrics == std::vector<std::string>{"test/f1", "zero_shot/boolq"});
  REQUIRE(plan.paper_values.size() == 1);
  CHECK(plan.paper_values[0].metric == "zero_shot/boolq");
  CHECK(plan.paper_values[0].seeds == 3);
  CHECK(plan.paper_values[0].note == "NaN");
}

}  // namespace sst::recipe_test
