#include <torch/cuda.h>

#include <cmath>

#include "recipe/load.hpp"
#include "run/assembly.hpp"
#include "run/recipe_schema.hpp"
#include "run/snapshot.hpp"
#include "run/training_step.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/smoke_images.hpp"
#include "tests/support/smoke_pairs.hpp"
#include "tests/support/smoke_recipes.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

// A GPU computes what the CPU does, up to rounding, and the same bits each time. Without one these cases are skipped.
namespace sst::run {
namespace {

bool no_gpu() {
  if (torch::cuda::is_available()) return false;
  testing::skip("no CUDA device");
  return true;
}

struct Made {
  recipe::Recipe recipe;
  Assembly assembly;
};

Made made(const std::string& name, const std::filesystem::path& root, std::vector<std::string> overrides) {
  overrides.push_back("data_root=" + (root / "data").string());
  recipe::Diagnostics diagnostics;
  auto loaded = recipe::load(std::string(SST_SOURCE_DIR) + "/recipes/smoke/" + name + ".yaml",
                             {.overrides = std::move(overrides)}, recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  auto assembly = assemble(loaded);
  return {std::move(loaded), std::move(assembly)};
}

struct Course {
  std::vector<double> losses, gradient_norms;
  std::map<std::string, torch::Tensor> weights;  ///< dense, on the CPU
};

/// `steps` steps from the beginning.
Course course(Assembly& assembly, int64_t steps) {
  Course result;
  assembly.method->on_start(*assembly.optimizer);
  assembly.averages.start(assembly.task->model());
  for (int64_t step = 0; step < steps; ++step) {
    const StepResult done = training_step(assembly, step);
    REQUIRE(done.problem.empty());
    result.losses.push_back(done.loss);
    result.gradient_norms.push_back(done.gradient_norm);
  }
  nn::for_each_dense_tensor(assembly.task->model(), [&](const std::string& name, const torch::Tensor& tensor) {
    result.weights[name] = tensor.detach().to(torch::kCPU).clone();
  });
  return result;
}

void write_data(const std::filesystem::path& root) {
  testing::write_smoke_texts(root);
  testing::write_smoke_pairs(root);
  testing::write_smoke_images(root);
}

}  // namespace

TEST_CASE("steps that are recorded and played on a GPU are those that are not", "[run][cuda]") {
  if (no_gpu()) return;
  const std::string method = GENERATE(from_range(testing::smoke_methods()));
  const bool mixed = GENERATE(false, true), in_parts = GENERATE(false, true);
  CAPTURE(method, mixed, in_parts);
  const testing::TemporaryFolder folder;
  write_data(folder.path());
  std::vector<std::string> keys = {"runtime.device=cuda", "model.dropout=0",
                                   mixed ? "precision=bf16_mixed" : "precision=fp32"};
  if (in_parts) keys.emplace_back("train.micro_batch=2");
  if (method == "sst") keys.emplace_back("method.execution=factored");
  if (method == "galore") keys.emplace_back("method.layerwise=false");
  if (method == "lowrank") keys.emplace_back("method.tolerance=0");
  auto plain = made("lm_" + method, folder.path(), keys);
  keys.emplace_back("runtime.cuda_graphs=true");
  auto recorded = made("lm_" + method, folder.path(), keys);
  REQUIRE(recorded.assembly.recording != nullptr);
  const Course a = course(plain.assembly, 12), b = course(recorded.assembly, 12);
  CHECK(recorded.assembly.recording->is_in_use());
  for (size_t step = 0; step < a.losses.size(); ++step) {
    CHECK(b.losses[step] == Approx(a.losses[step]).epsilon(mixed ? 1e-2 : 1e-4));
    CHECK(b.gradient_norms[step] == Approx(a.gradient_norms[step]).epsilon(mixed ? 5e-2 : 1e-3));
  }
}

TEST_CASE("every method trains every model on a GPU as on the CPU", "[run][cuda]") {
  if (no_gpu()) return;
  const std::string task = GENERATE("graph_nc", "graph_lp", "lm", "mt", "mt_lorentz", "image"),
                    method = GENERATE(from_range(testing::smoke_methods()));
  CAPTURE(task, method);
  const testing::TemporaryFolder folder;
  write_data(folder.path());
  auto on_cpu = made(task + "_" + method, folder.path(), {"runtime.device=cpu"}),
       on_gpu = made(task + "_" + method, folder.path(), {"runtime.device=cuda"});
  const Course cpu = course(on_cpu.assembly, 6), gpu = course(on_gpu.assembly, 6);
  CHECK(gpu.losses[0] == Approx(cpu.losses[0]).epsilon(1e-5));
  CHECK(gpu.gradient_norms[0] == Approx(cpu.gradient_norms[0]).epsilon(1e-3));
  // Where singular values are equal or zero the libraries choose other singular vectors, and so other weights to train.
  const bool decomposes = method == "sst" || method == "lowrank";
  for (size_t i = 1; i < cpu.losses.size(); ++i) {
    CAPTURE(i);
    CHECK(gpu.losses[i] == Approx(cpu.losses[i]).epsilon(decomposes ? 0.03 : 5e-3));
    if (!decomposes) CHECK(gpu.gradient_norms[i] == Approx(cpu.gradient_norms[i]).epsilon(0.05));
  }
}

TEST_CASE("a GPU gives the same bits twice", "[run][cuda]") {
  if (no_gpu()) return;
  const std::string task = GENERATE("graph_nc", "graph_lp", "lm", "mt", "mt_lorentz", "image"),
                    method = GENERATE("full", "sst", "galore");
  CAPTURE(task, method);
  const testing::TemporaryFolder folder;
  write_data(folder.path());
  auto first = made(task + "_" + method, folder.path(), {"runtime.device=cuda"}),
       second = made(task + "_" + method, folder.path(), {"runtime.device=cuda"});
  const Course a = course(first.assembly, 12), b = course(second.assembly, 12);
  CHECK(a.losses == b.losses);
  for (const auto& [name, tensor] : a.weights) {
    CAPTURE(name);
    CHECK(torch::equal(tensor, b.weights.at(name)));
  }
}

TEST_CASE("what a GPU saves goes on there and on the CPU", "[run][cuda]") {
  if (no_gpu()) return;
  const std::string method = GENERATE("full", "galore", "sst");
  CAPTURE(method);
  const testing::TemporaryFolder folder;
  write_data(folder.path());
  auto whole = made("lm_" + method, folder.path(), {"runtime.device=cuda"});
  course(whole.assembly, 5);
  TrainState state;
  state.step = 5;
  const auto contents = capture(whole.assembly, whole.recipe, state, BestTracker({}));
  const double next = training_step(whole.assembly, 5).loss;
  for (const std::string device : {"cuda", "cpu"}) {
    CAPTURE(device);
    auto continued = made("lm_" + method, folder.path(), {"runtime.device=" + device});
    BestTracker restored({});
    restore(contents, continued.assembly, restored);
    CHECK(training_step(continued.assembly, 5).loss == Approx(next).epsilon(device == "cuda" ? 0 : 1e-4));
  }
}

TEST_CASE("mixed precision on a GPU stays near float32", "[run][cuda]") {
  if (no_gpu()) return;
  const std::string task = GENERATE("lm", "mt", "mt_lorentz"), method = GENERATE("full", "sst"),
                    precision = GENERATE("bf16_mixed", "tf32");
  CAPTURE(task, method, precision);
  const testing::TemporaryFolder folder;
  write_data(folder.path());
  auto plain = made(task + "_" + method, folder.path(), {"runtime.device=cuda"}),
       mixed = made(task + "_" + method, folder.path(), {"runtime.device=cuda", "precision=" + precision});
  const Course a = course(plain.assembly, 4), b = course(mixed.assembly, 4);
  for (size_t i = 0; i < a.losses.size(); ++i) CHECK(b.losses[i] == Approx(a.losses[i]).epsilon(0.03));
}

}  // namespace sst::run
