// A training step with every method beside one with full rank: forward, backward, clipping, update, and whatever the
// method does around it. GaLore's decompositions are counted in by their share in a second number, as what the first step
// takes longer (full rank's takes 0.2 s longer too); SST's, once in thousands of steps, are not.
//     lm_step/opt-125m         OPT-125M, 2 × 512 random tokens; lm_step.py measures Hugging Face transformers beside it
//     mt_step/lorentz-64       HyboNet's Transformer of width 64, 6 + 6 layers, 64 pairs of 25 to 32 words
// Peak memory is that of the model, its first step included; on a CPU the process's own, which Linux lets it set back. The
// table shows both beside full rank's.
// SST_BENCH_DEVICE=cuda measures on a GPU, the language model then at 16 × 1024 tokens. The counters split one more step.
// SST_BENCH_TRACE=FOLDER writes one more, kernel by kernel, as a Chrome trace for each benchmark.

#include <c10/core/CachingDeviceAllocator.h>
#include <torch/csrc/autograd/profiler_kineto.h>
#include <torch/cuda.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "core/memory.hpp"
#include "methods/registry.hpp"
#include "optim/clip.hpp"
#include "run/memory.hpp"
#include "run/training_step.hpp"
#include "tests/bench/assemble.hpp"
#include "tests/bench/settings.hpp"
#include "text/token_file.hpp"

namespace sst::bench {
namespace {

using Overrides = std::vector<std::string>;

const bool on_gpu = [] {
  const char* device = std::getenv("SST_BENCH_DEVICE");
  return device != nullptr && std::string(device) != "cpu";
}();

const int64_t kSequences = on_gpu ? 16 : 2, kLength = on_gpu ? 1024 : 512;
constexpr int64_t kPairs = 64, kMostWords = 32, kVocabulary = 6632, kStepsOfData = 64;

std::filesystem::path scratch(const std::string& name) {
  return std::filesystem::temp_directory_path() / ("sst_bench_" + std::to_string(getpid()) + "_" + name);
}

/// OPT-125M on random bytes, which is all that an untrained model can tell of a text.
Overrides language_model_data() {
  const auto path = scratch("tokens.bin");
  std::mt19937 generator(1);
  std::vector<int32_t> ids(static_cast<size_t>(kStepsOfData * kSequences * kLength));
  for (int32_t& id : ids) id = static_cast<int32_t>(generator() % 256);
  text::TokenFileWriter writer(path, text::TokenType::kUint16);
  writer.write(ids);
  writer.finish();
  return {"data.format=tokens",
          "data.train=" + path.string(),
          "data.valid=" + path.string(),
          "data.seq_len=" + std::to_string(kLength),
          "tokenizer.type=bytes",
          "tokenizer.model=null",
          "model.vocab_size=50272",
          "train.global_batch_tokens=" + std::to_string(kSequences * kLength),
          "train.micro_batch=" + std::to_string(kSequences),
          "train.recompute=none"};
}

/// Pairs of made words, as many different ones as IWSLT'14 has.
Overrides translation_data() {
  std::mt19937 generator(1);
  Overrides overrides = {"train.max_tokens=null", "train.global_batch_tokens=null",
                         "train.max_sentences=" + std::to_string(kPairs)};
  for (const std::string side : {"src", "tgt"}) {
    std::ofstream file(scratch(side));
    for (int64_t pair = 0; pair < kStepsOfData * kPairs; ++pair)
      for (int64_t word = 0, words = kMostWords - pair % 8; word < words; ++word)
        file << "w" << (pair < kVocabulary && word == 0 ? pair : static_cast<int64_t>(generator() % kVocabulary))
             << (word + 1 < words ? " " : "\n");
    for (const std::string split : {"train", "valid", "test"})
      overrides.push_back("data." + split + "." + side + "=" + scratch(side).string());
  }
  return overrides;
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  if (on_gpu) torch::cuda::synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The parts of one step, measured apart.
void split(benchmark::State& state, run::Assembly& assembly, int64_t step) {
  auto& optimizer = *assembly.optimizer;
  optimizer.zero_grad();
  const auto shape = assembly.task->step_shape(step);
  const nn::Pass pass{.training = true,
                      .seed = 1,
                      .step = step,
                      .loss_scale = shape.count > 0 ? 1 / shape.count : 1,
                      .compute = assembly.precision.compute_type()};
  nn::LossSum loss;
  state.counters["forward_and_output_layer_s"] = seconds_of([&] { loss = assembly.task->loss(pass, 0); });
  state.counters["backward_s"] = seconds_of([&] { (loss.sum / loss.count).backward(); });
  state.counters["update_s"] = seconds_of([&] {
    assembly.method->before_step(step, optimizer);
    optim::clip_gradients_(optimizer.parameters(), 1.0);
    optimizer.step({.base = 1e-4, .low_rank = 1e-4});
    assembly.method->after_step(step, optimizer);
  });
}

/// Peak memory counts from here; without /proc from the start of the process.
void reset_peak_memory() {
  keep_freed_memory();  // gives back what the model before this one left
  std::ofstream("/proc/self/clear_refs") << "5";
  if (!on_gpu) return;
  auto& allocator = *c10::getDeviceAllocator(torch::kCUDA);
  if (!allocator.initialized()) return;
  allocator.emptyCache();
  allocator.resetPeakStats(0);
}

void trace(run::Assembly& assembly, int64_t step, std::string name) {
  const char* folder = std::getenv("SST_BENCH_TRACE");
  if (folder == nullptr) return;
  namespace profiler = torch::autograd::profiler;
  std::replace(name.begin(), name.end(), '/', '-');
  const std::set<torch::profiler::impl::ActivityType> activities = {torch::profiler::impl::ActivityType::CPU,
                                                                    torch::profiler::impl::ActivityType::CUDA};
  const profiler::ProfilerConfig config(profiler::ProfilerState::KINETO);
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities);
  run::training_step(assembly, step);
  if (on_gpu) torch::cuda::synchronize();
  profiler::disableProfiler()->save(std::string(folder) + "/" + name + ".json");
}

/// The model that is measured; it lives on between the repetitions of a benchmark.
struct Trained {
  std::string name;
  run::Assembly assembly;
  int64_t step = 0;
  double first_step_s = 0;
};

Trained& trained_model() {
  static Trained& model = *new Trained;  // never freed: at the end of main CUDA may be gone before it
  return model;
}

/// A method as it is measured here.
struct Case {
  std::string method;
  Overrides overrides;
  /// Steps between decompositions, of which the first step has one; 0: none, or too few to matter.
  int64_t decomposes_every = 0;
};

void training_steps(benchmark::State& state, const std::string& name, const std::string& recipe, const Case& one) {
  try {
    auto& model = trained_model();
    if (model.name != name) {  // repetitions go on with the model of the first
      model = {};
      reset_peak_memory();
      model = {.name = name, .assembly = assemble(recipe, one.overrides)};
      model.first_step_s = seconds_of([&] { run::training_step(model.assembly, model.step++); });
      // On a GPU kernels are chosen and memory is taken too.
      for (int i = 0; i < (on_gpu ? 4 : 1); ++i) run::training_step(model.assembly, model.step++);
    }
    double seconds = 0;
    for (auto _ : state) seconds = seconds_of([&] { run::training_step(model.assembly, model.step++); });
    state.counters["peak_bytes"] = static_cast<double>(run::peak_memory_bytes(model.assembly.device));
    state.counters["first_step_s"] = model.first_step_s;
    if (one.decomposes_every > 0)
      state.counters["amortised_s"] =
          seconds + std::max(0.0, model.first_step_s - seconds) / static_cast<double>(one.decomposes_every);
    if (!model.assembly.method->updates_within_backward()) split(state, model.assembly, model.step);
    trace(model.assembly, model.step + 1, name);
  } catch (const Error& failure) {
    state.SkipWithError(failure.what());
  }
}

/// Every method, and what some are measured with beside their defaults. GaLore decomposes every 200 steps; SST at the end
/// of a round, which is 2,400 steps in OPT-125M.
std::vector<Case> methods(int64_t rank) {
  static const std::multimap<std::string, Case> special = {
      {"galore", {"galore", {"method.update_proj_gap=200"}, 200}},
      {"galore", {"galore_randomized", {"method.update_proj_gap=200", "method.svd=randomized"}, 200}},
      {"galore",
       {"galore_layerwise", {"method.update_proj_gap=200", "method.layerwise=true", "optim.grad_clip=0"}, 200}},
      {"lowrank", {"lowrank", {"optim.name=lowrank_adam"}}}};
  std::vector<Case> cases;
  for (const std::string& method : methods::registry().names()) {
    auto [first, last] = special.equal_range(method);
    std::vector<Case> of_method;
    for (; first != last; ++first) of_method.push_back(first->second);
    if (of_method.empty()) of_method.push_back({method, {}});
    for (Case& one : of_method) {
      one.overrides.insert(one.overrides.begin(), "method.name=" + method);
      if (method != "full") one.overrides.push_back("method.rank=" + std::to_string(rank));
      cases.push_back(std::move(one));
    }
  }
  return cases;
}

void register_steps(const std::string& prefix, const std::string& recipe, Overrides (*data)(), int64_t rank,
                    const std::vector<std::string>& precisions) {
  for (const std::string& precision : precisions)
    for (Case one : methods(rank)) {
      const std::string name = prefix + "/" + precision + "/" + one.method;
      one.overrides.push_back("precision=" + precision);
      one.overrides.push_back(std::string("runtime.device=") + (on_gpu ? "cuda" : "cpu"));
      if (one.method != "full") beside(name, prefix + "/" + precision + "/full");
      benchmark::RegisterBenchmark(name.c_str(), [name, recipe, data, one](benchmark::State& state) {
        Case all = one;
        const Overrides made = data();
        all.overrides.insert(all.overrides.begin(), made.begin(), made.end());
        training_steps(state, name, recipe, all);
      })->Apply(measured_briefly);
    }
}

const bool steps_registered = [] {
  register_steps("lm_step/opt-125m", "lm/opt_125m", language_model_data, 64, {"fp32", "bf16_mixed"});
  register_steps("mt_step/lorentz-64", "translation/iwslt14_hyperbolic_64", translation_data, 8, {"fp32"});
  return true;
}();

}  // namespace
}  // namespace sst::bench
