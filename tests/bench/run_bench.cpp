// Epochs of whole runs on one thread: one training step and one evaluation of both held-out splits. The recipes of the
// prepared graphs need SST_DATA_ROOT, see data_tools/; without it their lines say so.

#include "run/training_step.hpp"
#include "tests/bench/assemble.hpp"
#include "tests/bench/settings.hpp"

namespace sst::bench {
namespace {

void epoch(benchmark::State& state, const std::string& recipe, const std::vector<std::string>& overrides) {
  const Threads one(1);
  try {
    auto assembly = assemble(recipe, overrides);
    int64_t step = 0;
    for (auto _ : state) {
      run::training_step(assembly, step++);
      benchmark::DoNotOptimize(assembly.task->evaluate("valid", run::evaluation_pass(assembly)));
      benchmark::DoNotOptimize(assembly.task->evaluate("test", run::evaluation_pass(assembly)));
    }
  } catch (const Error& failure) {
    state.SkipWithError(failure.what());
  }
}

void register_epoch(const std::string& recipe, double published_cpu_s) {
  for (const auto& [suffix, overrides] :
       {std::pair<std::string, std::vector<std::string>>{"full", {"method.name=full"}},
        {"sst", {"method.name=sst", "method.rank=2"}}}) {
    const std::string name = "epoch/" + recipe + "/" + suffix;
    benchmark::RegisterBenchmark(name.c_str(), [recipe, overrides = overrides](benchmark::State& state) {
      epoch(state, recipe, overrides);
    })->Apply(measured);
    if (published_cpu_s > 0) beside_published(name, published_cpu_s, "the published Python code");
  }
}

/// CPU seconds of an epoch, full rank, of the published code under PyTorch 2.13 on one thread of a machine of this
/// class, training-set metrics included.
const bool epochs_registered = [] {
  register_epoch("graphs/cora_nc", 0.119);
  register_epoch("graphs/airport_nc", 0.040);
  register_epoch("graphs/pubmed_nc", 0.544);
  register_epoch("graphs/cora_lp", 0.127);
  register_epoch("graphs/airport_lp", 0.049);
  register_epoch("graphs/disease_lp", 0.018);
  register_epoch("quickstart", 0);
  return true;
}();

}  // namespace
}  // namespace sst::bench
