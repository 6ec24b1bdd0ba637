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

}  // namespace sst::recipe_test
