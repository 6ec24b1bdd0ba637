// A training step of OPT-125M on 2 × 512 random tokens: forward, backward, clipping, AdamW. lm_step.py measures the same
// step of Hugging Face transformers beside it, and the peak memory of each. The counters split one more step.

#include <chrono>
#include <filesystem>
#include <random>

#include "optim/clip.hpp"
#include "run/training_step.hpp"
#include "tests/bench/assemble.hpp"
#include "tests/bench/settings.hpp"
#include "text/token_file.hpp"

namespace sst::bench {
namespace {

constexpr int64_t kSequences = 2, kLength = 512, kTokens = 64 * kSequences * kLength, kUncounted = 1;

/// A token file of random bytes, which is all that an untrained model can tell of a text.
std::string random_tokens() {
  const auto path = std::filesystem::temp_directory_path() / ("sst_bench_tokens_" + std::to_string(getpid()) + ".bin");
  std::mt19937 generator(1);
  std::vector<int32_t> ids(kTokens);
  for (int32_t& id : ids) id = static_cast<int32_t>(generator() % 256);
  text::TokenFileWriter writer(path, text::TokenType::kUint16);
  writer.write(ids);
  writer.finish();
  return path.string();
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The parts of one step, measured apart.
void split(benchmark::State& state, run::Assembly& assembly) {
  auto& optimizer = *assembly.optimizer;
  optimizer.zero_grad();
  const nn::Pass pass{.training = true,
                      .seed = 1,
                      .loss_scale = 1.0 / (kSequences * kLength),
                      .compute = assembly.precision.compute_type()};
  nn::LossSum loss;
  state.counters["forward_and_output_layer_s"] = seconds_of([&] { loss = assembly.task->loss(pass, 0); });
  state.counters["backward_s"] = seconds_of([&] { (loss.sum / loss.count).backward(); });
  state.counters["update_s"] = seconds_of([&] {
    assembly.method->before_step(1, optimizer);
    optim::clip_gradients_(optimizer.parameters(), 1.0);
    optimizer.step({.base = 1e-4, .low_rank = 1e-4});
    assembly.method->after_step(1, optimizer);
  });
}

struct Trained {
  std::string name;
  run::Assembly assembly;
  int64_t step = 0;
};

Trained& trained_model() {
  static Trained model;
  return model;
}

void opt_125m_step(benchmark::State& state, const std::string& precision, const std::vector<std::string>& method) {
  try {
    const std::string tokens = random_tokens();
    std::vector<std::string> overrides = {
        "data.format=tokens",     "data.train=" + tokens,
        "data.valid=" + tokens,   "data.seq_len=" + std::to_string(kLength),
        "tokenizer.type=bytes",   "tokenizer.model=null",
        "model.vocab_size=50272", "train.global_batch_tokens=" + std::to_string(kSequences * kLength),
        "train.recompute=none",   "precision=" + precision};
    overrides.insert(overrides.end(), method.begin(), method.end());
    auto& [name, assembly, step] = trained_model();
    if (name != precision + "/" + method.front()) {  // repetitions go on with the model of the first
      trained_model() = {precision + "/" + method.front(), assemble("lm/opt_125m", overrides), 0};
      for (; step < kUncounted; ++step) run::training_step(assembly, step);
    }
    for (auto _ : state) run::training_step(assembly, step++);
    split(state, assembly);
    std::filesystem::remove(tokens);
  } catch (const Error& failure) {
    state.SkipWithError(failure.what());
  }
}

const bool lm_steps_registered = [] {
  for (const std::string precision : {"fp32", "bf16_mixed"})
    for (const auto& [suffix, method] : {std::pair<std::string, std::vector<std::string>>{"full", {"method.name=full"}},
                                         {"lora", {"method.name=lora", "method.rank=64"}},
                                         {"sst", {"method.name=sst", "method.rank=64"}}}) {
      const std::string name = "lm_step/opt-125m/" + precision + "/" + suffix;
      benchmark::RegisterBenchmark(name.c_str(), [precision, method = method](benchmark::State& state) {
        opt_125m_step(state, precision, method);
      })->Apply(measured_briefly);
      if (suffix != "full") beside(name, "lm_step/opt-125m/" + precision + "/full");
    }
  return true;
}();

}  // namespace
}  // namespace sst::bench
