#include <fmt/format.h>

#include "methods/registry.hpp"
#include "recipe/load.hpp"
#include "run/assembly.hpp"
#include "run/recipe_schema.hpp"
#include "run/training_step.hpp"
#include "tensor/memory_meter.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/smoke_images.hpp"
#include "tests/support/smoke_pairs.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

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

namespace {

/// Recipes of a task, at a size at which a step's tensors outweigh what a decomposition of one matrix takes for a moment,
/// which no estimate knows.
struct Family {
  std::string prefix;
  std::vector<std::string> overrides;
};

std::vector<Family> families() {
  const std::vector<std::string> translation = {
      "model.hidden_size=128",          "model.ffn_size=512",     "model.num_heads=4",
      "model.encoder_layers=2",         "model.decoder_layers=2", "train.max_tokens=2048",
      "train.global_batch_tokens=2048", "eval.metrics=[loss]",    "checkpoint.best_metric=valid/loss"};
  return {{"graph_nc", {"data.nodes=1500", "model.hidden_size=64"}},
          {"graph_lp", {"data.nodes=1500", "model.hidden_size=64"}},
          {"lm",
           {"model.hidden_size=128", "model.num_heads=4", "model.num_layers=4", "model.max_positions=64",
            "data.seq_len=64", "train.global_batch_tokens=1024"}},
          {"mt", translation},
          {"mt_lorentz", translation},
          {"image", {"model.hidden_size=256", "model.num_layers=3", "train.micro_batch=512"}}};
}

/// Method, and what makes a variant of it.
std::vector<std::vector<std::string>> method_variants() {
  std::vector<std::vector<std::string>> variants;
  for (const std::string& name : methods::registry().names())
    variants.push_back(name == "full" ? std::vector{name} : std::vector<std::string>{name, "method.rank=8"});
  variants.push_back({"galore", "method.rank=8", "method.layerwise=false"});
  return variants;
}

/// Tensors of a run, from reading its data to an evaluation, its largest step among those before; copies to save are left out.
double measured_bytes(const recipe::Recipe& recipe, double& estimated) {
  const tensor::TensorMemoryMeter meter;
  auto assembly = assemble(recipe);
  const MemoryEstimate estimate = estimate_memory(assembly);
  estimated = estimate.total() - estimate.snapshots;
  assembly.method->on_start(*assembly.optimizer);
  for (int64_t step = 0; step < 2; ++step) training_step(assembly, step);
  if (const auto largest = assembly.task->largest_step()) training_step(assembly, *largest);
  evaluate(assembly, "valid");
  return static_cast<double>(meter.peak_bytes());
}

}  // namespace

TEST_CASE("the estimate of memory is within 10 % of what the tensors of every method and family take", "[run]") {
  const testing::TemporaryFolder folder;
  testing::write_smoke_pairs(folder.path());
  testing::write_smoke_texts(folder.path());
  testing::write_smoke_images(folder.path(), /*training_images=*/1300);
  for (const Family& family : families())
    for (const auto& variant : method_variants()) {
      CAPTURE(family.prefix, variant);
      auto overrides = family.overrides;
      overrides.push_back("data_root=" + (folder / "data").string());
      overrides.insert(overrides.end(), variant.begin() + 1, variant.end());
      recipe::Diagnostics diagnostics;
      const auto loaded =
          recipe::load(fmt::format("{}/recipes/smoke/{}_{}.yaml", SST_SOURCE_DIR, family.prefix, variant.front()),
                       {.overrides = overrides}, recipe_schema(), diagnostics);
      diagnostics.throw_if_errors();
      double estimated = 0;
      const double measured = measured_bytes(loaded, estimated);
      CHECK(estimated == Approx(measured).epsilon(0.10));
    }
}

}  // namespace sst::run
