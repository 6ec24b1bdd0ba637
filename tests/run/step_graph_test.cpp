#include "recipe/load.hpp"
#include "run/assembly.hpp"
#include "run/checks.hpp"
#include "run/recipe_schema.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

// What can be known of recorded steps without a GPU; cuda_test.cpp has the rest.
namespace sst::run {
namespace {

std::string problems_of(const std::string& name, std::vector<std::string> overrides) {
  overrides.emplace_back("runtime.cuda_graphs=true");
  recipe::Diagnostics diagnostics;
  const auto loaded = recipe::load(std::string(SST_SOURCE_DIR) + "/recipes/smoke/" + name + ".yaml",
                                   {.overrides = std::move(overrides)}, recipe_schema(), diagnostics);
  check_recipe(loaded, diagnostics);
  return diagnostics.render();
}

}  // namespace

TEST_CASE("what cannot be recorded is refused, with the key that stands in the way", "[run]") {
  CHECK_THAT(problems_of("mt_full", {}), ContainsSubstring("E-cuda-graphs") && ContainsSubstring("translation"));
  CHECK_THAT(problems_of("lm_full", {}), ContainsSubstring("E-cuda-graphs") && ContainsSubstring("'model.dropout'"));
  CHECK_THAT(problems_of("lm_sst", {"model.dropout=0"}), ContainsSubstring("method.execution: factored"));
  CHECK_THAT(problems_of("lm_full", {"model.dropout=0"}), !ContainsSubstring("E-cuda-graphs"));
  CHECK_THAT(problems_of("lm_sst", {"model.dropout=0", "method.execution=factored"}),
             !ContainsSubstring("E-cuda-graphs"));
}

TEST_CASE("a part of a step that is loaded has the loss and the gradients of the part itself", "[run]") {
  const testing::TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  recipe::Diagnostics diagnostics;
  const auto loaded = recipe::load(std::string(SST_SOURCE_DIR) + "/recipes/smoke/lm_full.yaml",
                                   {.overrides = {"data_root=" + (folder.path() / "data").string(), "model.dropout=0",
                                                  "train.micro_batch=2", "runtime.cuda_graphs=true"}},
                                   recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  auto assembly = assemble(loaded);
  CHECK(assembly.recording == nullptr);  // there is no GPU: steps are as they are
  for (const int64_t step : {0, 1}) {
    const auto shape = assembly.task->step_shape(step);
    REQUIRE(shape.parts == 2);
    const nn::Pass pass{.training = true, .seed = 1, .step = step, .loss_scale = 1 / shape.count};
    for (int64_t part = 0; part < shape.parts; ++part) {
      const auto gradients_of = [&](const nn::LossSum& loss) {
        (loss.sum / shape.count).backward();
        std::vector<torch::Tensor> all;
        for (const auto& parameter : assembly.optimizer->parameters()) all.push_back(parameter.tensor.grad());
        assembly.optimizer->zero_grad();
        return all;
      };
      const auto own = assembly.task->loss(pass, part);
      const auto own_gradients = gradients_of(own);
      assembly.task->load(part);
      const auto read = assembly.task->loss_of_loaded(pass);
      CHECK(read.sum.item<float>() == own.sum.item<float>());
      const auto read_gradients = gradients_of(read);
      for (size_t i = 0; i < own_gradients.size(); ++i) CHECK(torch::equal(own_gradients[i], read_gradients[i]));
    }
  }
}

}  // namespace sst::run
