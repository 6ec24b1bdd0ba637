#include "run/scale_plan.hpp"

#include "core/error.hpp"
#include "methods/registry.hpp"
#include "recipe/load.hpp"
#include "run/recipe_schema.hpp"
#include "run/training_step.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/smoke_recipes.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

// What a recipe takes on a machine that is not at hand.
namespace sst::run {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

recipe::Recipe loaded(const std::string& name, std::vector<std::string> overrides) {
  recipe::Diagnostics diagnostics;
  auto recipe = recipe::load(std::string(SST_SOURCE_DIR) + "/recipes/" + name + ".yaml",
                             {.overrides = std::move(overrides)}, recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  return recipe;
}

}  // namespace

TEST_CASE("a plan is what the assembled model takes", "[run]") {
  const std::string method = GENERATE(from_range(testing::smoke_methods()));
  const std::string recompute = GENERATE("none", "blocks");
  CAPTURE(method, recompute);
  const testing::TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const auto recipe = loaded("smoke/lm_" + method, {"data_root=" + (folder / "data").string(), "checkpoint.async=false",
                                                    "checkpoint.keep_best=0", "train.recompute=" + recompute});
  const Assembly assembly = assemble(recipe);
  const auto expected = estimate_memory(assembly);
  const auto plan = plan_for(recipe, {});
  CHECK(plan.parameters.total == count_parameters(assembly).total);
  CHECK(plan.parameters.trainable == count_parameters(assembly).trainable);
  CHECK(plan.memory.parameters == expected.parameters);
  CHECK(plan.memory.gradients == expected.gradients);
  CHECK(plan.memory.optimizer_states == expected.optimizer_states);
  // A plan is of plain matrices: what DoRA keeps of its own it does not know.
  CHECK(plan.memory.activations == Approx(expected.activations).epsilon(0.25).margin(150e3));
  CHECK(plan.sent_bytes == 0);
}

TEST_CASE("the plan of OPT-1.3B has the published numbers and adds up", "[run]") {
  const auto plan = plan_for(loaded("lm/opt_1.3b", {"method.name=full", "train.micro_batch=auto"}),
                             {.processes = 4, .device_memory = 80 * kGiB, .link = 50e9, .flops = 312e12});
  constexpr double kNumbers = 1315758080;
  CHECK(plan.parameters.trainable == static_cast<int64_t>(kNumbers));
  CHECK(plan.memory.parameters == 4 * kNumbers);
  CHECK(plan.memory.optimizer_states == 8 * kNumbers);
  CHECK(plan.sent_bytes == Approx(2 * 0.75 * 4 * kNumbers));
  CHECK(plan.exchange_s == Approx(plan.sent_bytes / 50e9));
  CHECK(plan.fits);
  CHECK(plan.memory.total() <= 0.9 * 80 * kGiB);
  CHECK(60 % plan.micro_batch == 0);  // of 240 sequences each process has 60
  // 6 N for every token but those of the positions, 2 N more of the blocks for computing them again, and attention.
  const double tokens = 491520 / 4.0, blocks = 24 * 12 * 2048.0 * 2048, words = 50272 * 2048.0;
  CHECK(plan.flops == Approx(tokens * (8 * blocks + 6 * words + 6.0 * 24 * 2048 * 2048)).epsilon(1e-3));
  CHECK(plan.in_turn_s() == Approx(plan.compute_s + plan.exchange_s));
  CHECK(plan.hidden_s() == std::max(plan.compute_s, plan.exchange_s));
}

TEST_CASE("sharded moments are divided among the processes, and the largest micro-batch grows", "[run]") {
  const auto of = [](const std::string& sharded) {
    return plan_for(
        loaded("lm/opt_1.3b", {"method.name=full", "train.micro_batch=auto", "distributed.shard_optimizer=" + sharded}),
        {.processes = 4, .device_memory = 24 * kGiB});
  };
  const auto whole = of("false"), sharded = of("true");
  CHECK(sharded.memory.optimizer_states == Approx(whole.memory.optimizer_states / 4).epsilon(1e-6));
  CHECK(sharded.sent_bytes == whole.sent_bytes);
  CHECK(sharded.micro_batch > whole.micro_batch);
}

TEST_CASE("what does not fit says so", "[run]") {
  const auto plan = plan_for(loaded("lm/opt_1.3b", {"method.name=full", "train.micro_batch=auto"}),
                             {.processes = 2, .device_memory = 8 * kGiB});
  CHECK_FALSE(plan.fits);
  CHECK(plan.micro_batch == 1);
}

TEST_CASE("every method has a plan, cheaper in memory than full rank where it trains less", "[run]") {
  const Machine machine{.processes = 1, .device_memory = 40 * kGiB, .link = 0, .flops = 100e12};
  const auto of = [&](const std::string& method) {
    return plan_for(loaded("lm/opt_125m", {"method.name=" + method}), machine);
  };
  const auto full = of("full");
  for (const std::string& method : methods::registry().names()) {
    CAPTURE(method);
    const auto plan = of(method);
    CHECK(plan.compute_s > 0);
    CHECK(plan.exchange_s == 0);
    if (method != "full") CHECK(plan.memory.optimizer_states < full.memory.optimizer_states);
  }
  CHECK(of("lora").flops < full.flops);
}

TEST_CASE("tasks that one process trains have no plan for several", "[run]") {
  CHECK_THROWS_WITH(plan_for(loaded("smoke/graph_nc_full", {"data.nodes=60"}), {.processes = 2}),
                    ContainsSubstring("is trained by one process"));
}

}  // namespace sst::run
