#include "recipe/load.hpp"
#include "run/assembly.hpp"
#include "run/checks.hpp"
#include "run/recipe_schema.hpp"
#include "run/training_step.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/smoke_recipes.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

// Recorded steps without a GPU: what is played is computed again, by a graph of these tests. cuda_test.cpp has real ones.
namespace sst::run {
namespace {

using tensor::DeviceGraph;
using torch::Tensor;

/// As a GPU's: the tensors that were made while recording hold what the last play gives.
class Replay : public DeviceGraph {
 public:
  std::vector<Tensor> record(const Work& work) override {
    work_ = work;
    work();
    return made_ = work();
  }
  void play() override {
    const auto fresh = work_();
    for (size_t i = 0; i < made_.size(); ++i) made_[i].copy_(fresh[i]);
  }

 private:
  Work work_;
  std::vector<Tensor> made_;
};

/// Plays what it has recorded whatever has changed since: a cast or a batch that became part of the recording.
class Frozen final : public Replay {
 public:
  void play() override {}
};

class Refusing final : public DeviceGraph {
 public:
  std::vector<Tensor> record(const Work& work) override {
    work();
    throw std::runtime_error("operation not permitted when stream is capturing");
  }
  void play() override {}
};

recipe::Recipe load(const std::string& name, std::vector<std::string> overrides, recipe::Diagnostics& diagnostics) {
  overrides.emplace_back("runtime.device=cpu");
  return recipe::load(std::string(SST_SOURCE_DIR) + "/recipes/smoke/" + name + ".yaml",
                      {.overrides = std::move(overrides)}, recipe_schema(), diagnostics);
}

struct Course {
  std::vector<double> losses, gradient_norms;
  bool in_use = false;
};

Course course(const recipe::Recipe& recipe, std::unique_ptr<DeviceGraph> graph) {
  auto assembly = assemble(recipe);
  if (graph)
    assembly.recording =
        std::make_unique<StepGraph>(*assembly.task, *assembly.optimizer, torch::kCPU, std::move(graph));
  assembly.method->on_start(*assembly.optimizer);
  Course result;
  for (int64_t step = 0; step < 10; ++step) {
    const StepResult done = training_step(assembly, step);
    REQUIRE(done.problem.empty());
    result.losses.push_back(done.loss);
    result.gradient_norms.push_back(done.gradient_norm);
  }
  result.in_use = assembly.recording && assembly.recording->is_in_use();
  return result;
}

void check_equal(const Course& a, const Course& b) {
  for (size_t step = 0; step < a.losses.size(); ++step) {
    CAPTURE(step);
    CHECK(a.losses[step] == Approx(b.losses[step]).epsilon(1e-5));
    CHECK(a.gradient_norms[step] == Approx(b.gradient_norms[step]).epsilon(1e-4));
  }
}

std::string problems_of(const std::string& name, std::vector<std::string> overrides) {
  overrides.emplace_back("runtime.cuda_graphs=true");
  recipe::Diagnostics diagnostics;
  check_recipe(load(name, std::move(overrides), diagnostics), diagnostics);
  return diagnostics.render();
}

}  // namespace

TEST_CASE("what is played trains as what is not, with every method, in one part and in several", "[run]") {
  const std::string method = GENERATE(from_range(testing::smoke_methods()));
  const bool in_parts = GENERATE(false, true);
  CAPTURE(method, in_parts);
  const testing::TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  std::vector<std::string> keys = {"data_root=" + (folder.path() / "data").string(), "model.dropout=0"};
  if (in_parts) keys.emplace_back("train.micro_batch=2");
  if (method == "sst") keys.emplace_back("method.execution=factored");
  if (method == "galore") keys.emplace_back("method.layerwise=false");
  if (method == "lowrank") keys.emplace_back("method.tolerance=0");
  recipe::Diagnostics diagnostics;
  const auto recipe = load("lm_" + method, keys, diagnostics);
  diagnostics.throw_if_errors();
  const Course played = course(recipe, std::make_unique<Replay>());
  CHECK(played.in_use);
  check_equal(played, course(recipe, nullptr));
}

TEST_CASE("a recording that is wrong or refused is given up, and the run is as without", "[run]") {
  const bool refuses = GENERATE(false, true), in_parts = GENERATE(false, true);
  CAPTURE(refuses, in_parts);
  const testing::TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  std::vector<std::string> keys = {"data_root=" + (folder.path() / "data").string(), "model.dropout=0"};
  if (in_parts) keys.emplace_back("train.micro_batch=2");
  recipe::Diagnostics diagnostics;
  const auto recipe = load("lm_full", keys, diagnostics);
  diagnostics.throw_if_errors();
  std::unique_ptr<DeviceGraph> graph;
  if (refuses)
    graph = std::make_unique<Refusing>();
  else
    graph = std::make_unique<Frozen>();
  const Course tried = course(recipe, std::move(graph));
  CHECK_FALSE(tried.in_use);
  check_equal(tried, course(recipe, nullptr));
}

TEST_CASE("what cannot be recorded is refused, with the key that stands in the way", "[run]") {
  CHECK_THAT(problems_of("mt_full", {}), ContainsSubstring("E-cuda-graphs") && ContainsSubstring("translation"));
  CHECK_THAT(problems_of("lm_full", {}), ContainsSubstring("E-cuda-graphs") && ContainsSubstring("'model.dropout'"));
  CHECK_THAT(problems_of("lm_sst", {"model.dropout=0"}), ContainsSubstring("method.execution: factored"));
  CHECK_THAT(problems_of("lm_lowrank", {"model.dropout=0"}), ContainsSubstring("'method.tolerance'"));
  CHECK_THAT(problems_of("lm_galore", {"model.dropout=0", "method.layerwise=true"}),
             ContainsSubstring("method.layerwise: false"));
  CHECK_THAT(problems_of("lm_full", {"model.dropout=0"}), !ContainsSubstring("E-cuda-graphs"));
}

}  // namespace sst::run
