// A checkpoint of OPT-1.3B with the states of SST, saved, and loaded with every sum verified, beside plain writing and
// reading of as many bytes. The files lie below $SST_BENCH_FOLDER, or here; reading comes from the disk where the system
// lets this process drop what it remembers of them (as root), from memory otherwise.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "core/file.hpp"
#include "core/memory.hpp"
#include "tests/bench/assemble.hpp"
#include "tests/bench/settings.hpp"

namespace sst::bench {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBlockBytes = size_t{64} << 20;

fs::path folder() {
  const char* const given = std::getenv("SST_BENCH_FOLDER");
  return fs::path(given != nullptr ? given : ".") / "sst-bench-checkpoint";
}

/// Bytes that no file system can store smaller.
const std::vector<char>& noise() {
  static const std::vector<char> block = [] {
    std::vector<char> bytes(kBlockBytes);
    uint64_t state = 1;
    for (size_t at = 0; at < bytes.size(); at += sizeof(state)) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      std::memcpy(bytes.data() + at, &state, sizeof(state));
    }
    return bytes;
  }();
  return block;
}

torch::Tensor filled_like(const torch::Tensor& meta) {
  torch::Tensor tensor = torch::empty(meta.sizes(), meta.options().device(torch::kCPU));
  auto* const bytes = static_cast<char*>(tensor.mutable_data_ptr());
  for (size_t at = 0; at < tensor.nbytes(); at += kBlockBytes)
    std::memcpy(bytes + at, noise().data(), std::min(kBlockBytes, tensor.nbytes() - at));
  return tensor;
}

checkpoint::Contents opt_with_sst() {
  const auto recipe = load("lm/opt_1.3b", {"method.name=sst", "method.rank=64", "precision=fp32"});
  const auto assembly = run::sketch(recipe, /*processes=*/1, /*memory=*/1e12);
  auto& model = assembly.task->model();
  checkpoint::Contents contents;
  for (const auto& [name, tensor] : nn::stored_tensors(model)) contents.model[name] = filled_like(tensor);
  for (const auto& [name, tensor] : nn::trainable_tensors(model))
    for (const char* const moment : {"exp_avg/", "exp_avg_sq/"})
      contents.optimizer[moment + name] = filled_like(tensor);
  contents.state = {{"step", 1}};
  contents.rng = nlohmann::json::object();
  return contents;
}

int64_t bytes_of(const checkpoint::Contents& contents) {
  int64_t bytes = 0;
  for (const auto* tensors : {&contents.model, &contents.optimizer})
    for (const auto& [name, tensor] : *tensors) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

/// Files of the time before, and what the system still has to write of them.
void clear() {
  fs::remove_all(folder());
  fs::create_directories(folder());
  ::sync();
}

void forget_what_was_read() {
  ::sync();
  std::ofstream("/proc/sys/vm/drop_caches") << "1";
}

int64_t saved_bytes = 0;  ///< of the checkpoint that lies in folder()

/// Removes it when the program ends.
const struct Guard {
  ~Guard() {
    std::error_code ignored;
    fs::remove_all(folder(), ignored);
  }
} guard;

void report_bytes(benchmark::State& state) { state.counters["bytes"] = static_cast<double>(saved_bytes); }

void save(benchmark::State& state) {
  if (available_memory_bytes() < int64_t{12} << 30) return state.SkipWithError("needs 12 GiB of free memory");
  const auto contents = opt_with_sst();
  saved_bytes = bytes_of(contents);
  for (auto _ : state) {
    state.PauseTiming();
    clear();
    state.ResumeTiming();
    checkpoint::write(folder(), contents, {});
  }
  report_bytes(state);
}

void write(benchmark::State& state) {
  if (saved_bytes == 0) return state.SkipWithError("run it with checkpoint/save");
  const fs::path file = folder().string() + "-plain";
  for (auto _ : state) {
    state.PauseTiming();
    fs::remove(file);
    ::sync();
    state.ResumeTiming();
    const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    int64_t left = saved_bytes;
    while (left > 0) {
      const auto wrote = ::write(descriptor, noise().data(), std::min<size_t>(kBlockBytes, static_cast<size_t>(left)));
      if (wrote <= 0) break;
      left -= wrote;
    }
    if (left > 0 || ::fsync(descriptor) != 0) state.SkipWithError("the disk does not take as many bytes");
    ::close(descriptor);
  }
  fs::remove(file);
  report_bytes(state);
}

/// Each time from the disk, as far as the system lets that be.
template <class Reading>
void from_disk(benchmark::State& state, const Reading& reading) {
  if (saved_bytes == 0) return state.SkipWithError("run it with checkpoint/save");
  for (auto _ : state) {
    state.PauseTiming();
    forget_what_was_read();
    state.ResumeTiming();
    reading();
  }
  report_bytes(state);
}

void load_verified(benchmark::State& state) {
  from_disk(state, [] { benchmark::DoNotOptimize(checkpoint::load(folder())); });
}

/// Every file of the checkpoint, through one block: what the disk gives.
void read(benchmark::State& state) {
  std::vector<char> block(kBlockBytes);
  from_disk(state, [&] {
    for (const auto& file : fs::directory_iterator(folder())) {
      const FileReader reader(file.path());
      const size_t size = file.file_size();
      for (size_t at = 0; at < size; at += kBlockBytes)
        reader.read(at, std::span(block).first(std::min(kBlockBytes, size - at)));
    }
  });
}

/// The same into new memory, which is given back: what a program that checks nothing and keeps everything has to do.
void read_into_memory(benchmark::State& state) {
  from_disk(state, [] {
    std::vector<torch::Tensor> read;
    for (const auto& file : fs::directory_iterator(folder())) {
      read.push_back(torch::empty({static_cast<int64_t>(file.file_size())}, torch::kInt8));
      auto* const bytes = static_cast<char*>(read.back().mutable_data_ptr());
      FileReader(file.path()).read(0, {bytes, read.back().nbytes()});
    }
  });
}

void few(benchmark::internal::Benchmark* benchmark) {
  measured_briefly(benchmark);
  benchmark->Repetitions(3);
}

/// In the order in which they run: what is saved is then loaded, and read.
const bool registered = [] {
  benchmark::RegisterBenchmark("checkpoint/save/opt_1.3b_sst", save)->Apply(few);
  benchmark::RegisterBenchmark("checkpoint/plain_write", write)->Apply(few);
  benchmark::RegisterBenchmark("checkpoint/load/opt_1.3b_sst", load_verified)->Apply(few);
  benchmark::RegisterBenchmark("checkpoint/plain_read", read)->Apply(few);
  benchmark::RegisterBenchmark("checkpoint/plain_read_into_memory", read_into_memory)->Apply(few);
  return beside("checkpoint/plain_write", "checkpoint/save/opt_1.3b_sst") &&
         beside("checkpoint/plain_read", "checkpoint/load/opt_1.3b_sst") &&
         beside("checkpoint/plain_read_into_memory", "checkpoint/load/opt_1.3b_sst");
}();

}  // namespace
}  // namespace sst::bench
