#include "recipe/load.hpp"

#include "tests/recipe/test_schema.hpp"
#include "tests/support/catch.hpp"

namespace sst::recipe_test {

TEST_CASE("an options struct reads what the recipe says and keeps its defaults elsewhere", "[recipe]") {
  const Recipe recipe = good("method: {name: sst, rank: 2, iterations_per_round: 12}\noptim: {lr: 1E-4}\n");
  const auto method = recipe.read<SstOptions>("method");
  CHECK(method.rank == 2);
  CHECK(method.iterations_per_round == OrWord<int64_t>{12, ""});
  CHECK(method.iteration_interval == Interval::steps(200));
  CHECK(method.init == "svd");
  const auto optim = recipe.read<OptimOptions>("optim");
  CHECK(optim.lr == 1e-4);
  CHECK(optim.betas == std::vector<double>{0.9, 0.999});
  CHECK(recipe.value<std::string>("task") == "node_classification");
  CHECK(recipe.read<EvalOptions>("eval").beam_size == 5);
}

TEST_CASE("a key's choices and default follow the method that is chosen", "[recipe]") {
  CHECK(good("method: {name: lora, rank: 2}\n").text("method.init") == "kaiming");
  CHECK(good("method: {name: sst, rank: 2, init: random}\n").text("method.init") == "random");
  CHECK(problems("method: {name: lora, rank: 2, init: random}\n") ==
        "r.yaml:4:37: error: 'method.init' is 'random' but must be one of kaiming, zero [E-choice]\n"
        "    4 | method: {name: lora, rank: 2, init: random}\n"
        "      |                                     ^^^^^^\n");
}

TEST_CASE("the words of Norway stay words where a string is wanted", "[recipe]") {
  for (const std::string word : {"no", "yes", "on", "off", "true", "1e3", "012", "~a", "0x1F", "2001-01-01"})
    CHECK(good("data: {src_lang: " + word + "}\n").read<DataOptions>("data").src_lang == word);
  CHECK(good("data: {use_feats: false}\n").read<DataOptions>("data").use_feats == false);
}

namespace {

struct Choice {
  std::string task;
  template <class Field>
  void describe(Field& field) {
    field(task, "task", one_of({"text", "pairs"}).required(), "task");
  }
};

struct Texts {
  OneOrMany<Path> train = {};
  template <class Field>
  void describe(Field& field) {
    field(train, "train", anything(), "texts");
  }
};

struct Pairs {
  OneOrMany<Path> source = {};
  template <class Field>
  void describe(Field& field) {
    field(source, "train.src", anything().required(), "source texts");
  }
};

}  // namespace

TEST_CASE("a name can be a key of one task and a section of another", "[recipe]") {
  Schema schema;
  schema.describe<Choice>("");
  schema.describe<Texts>("data", only_when("task", {"text"}));
  schema.describe<Pairs>("data", only_when("task", {"pairs"}));
  const auto load = [&](const std::string& text, Diagnostics& diagnostics) {
    return load_text("recipe_version: 1\n" + text, "r.yaml", {}, schema, diagnostics);
  };
  Diagnostics none;
  CHECK(load("task: text\ndata: {train: a.txt}\n", none).read<Texts>("data").train.values[0].text == "a.txt");
  CHECK(load("task: pairs\ndata: {train: {src: a.de}}\n", none).read<Pairs>("data").source.values[0].text == "a.de");
  CHECK_FALSE(none.has_errors());
  Diagnostics wrong;
  load("task: pairs\ndata: {train: a.txt}\n", wrong);
  CHECK(wrong.render().find("'data.train' is not used when 'task' is 'pairs'") != std::string::npos);
  CHECK(wrong.render().find("'data.train.src' is missing") != std::string::npos);
}

}  // namespace sst::recipe_test
