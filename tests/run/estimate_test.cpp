#include "recipe/load.hpp"
#include "run/assembly.hpp"
#include "run/recipe_schema.hpp"
#include "run/training_step.hpp"
#include "tests/support/catch.hpp"

namespace sst::run {

TEST_CASE("the estimate of optimizer states is what a step leaves", "[run]") {
  const std::string method = GENERATE("full", "lora", "relora", "galore", "dora", "vera", "lowrank", "sst");
  CAPTURE(method);
  recipe::Diagnostics diagnostics;
  const auto loaded = recipe::load(std::string(SST_SOURCE_DIR) + "/recipes/smoke/graph_nc_" + method + ".yaml",
                                   {.overrides = {"data.nodes=60"}}, recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  auto assembly = assemble(loaded);
  const double estimated = estimate_memory(assembly).optimizer_states;
  assembly.method->on_start(*assembly.optimizer);
  training_step(assembly, 0);
  double measured = 0;
  for (const auto& [name, tensor] : assembly.optimizer->state_dict())
    if (name.rfind("step/", 0) != 0) measured += static_cast<double>(tensor.nbytes());
  for (const auto& [name, tensor] : assembly.method->state_dict()) measured += static_cast<double>(tensor.nbytes());
  CHECK(estimated == measured);
}

}  // namespace sst::run
