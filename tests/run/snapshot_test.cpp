#include "run/snapshot.hpp"

#include "recipe/load.hpp"
#include "run/recipe_schema.hpp"
#include "run/training_step.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "text/token_file.hpp"

namespace sst::run {
namespace {

Assembly small_language_model(const std::filesystem::path& tokens, recipe::Recipe& recipe) {
  recipe::Diagnostics diagnostics;
  recipe = recipe::load(std::string(SST_SOURCE_DIR) + "/recipes/smoke/lm_full.yaml",
                        {.overrides = {"data.format=tokens", "data.train=" + tokens.string(),
                                       "data.valid=" + tokens.string(), "tokenizer.type=bytes"}},
                        recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  return assemble(recipe);
}

}  // namespace

TEST_CASE("a run that goes on computes as many sequences at a time as it did", "[run]") {
  const testing::TemporaryFolder folder;
  const auto path = folder / "tokens.bin";
  text::TokenFileWriter writer(path, text::TokenType::kUint16);
  writer.write(std::vector<int32_t>(400, 7));
  writer.finish();

  recipe::Recipe recipe;
  auto assembly = small_language_model(path, recipe);
  training_step(assembly, 0);
  BestTracker best({});
  auto contents = capture(assembly, recipe, TrainState{}, best);
  REQUIRE(contents.state.at("micro_batch") == 4);  // all sequences of a step

  contents.state["micro_batch"] = 2;  // as if there had been less memory
  auto continued = small_language_model(path, recipe);
  restore(contents, continued, best);
  CHECK(continued.task->step_shape(0).parts == 2);
}

}  // namespace sst::run
