#include <fmt/core.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/clock.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "recipe/builtin.hpp"
#include "recipe/load.hpp"
#include "run/assembly.hpp"
#include "run/recipe_schema.hpp"
#include "run/training_step.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

/// Fifty steps of the smallest recipe in memory: does the loss fall?
std::string self_test() {
  const Stopwatch watch;
  recipe::Diagnostics diagnostics;
  const auto recipe =
      recipe::load("builtin:smoke/graph_nc_sst", {.builtin = builtin_lookup()}, run::recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  auto assembly = run::assemble(recipe);
  assembly.method->on_start(*assembly.optimizer);
  double first = 0, last = 0;
  for (int64_t step = 0; step < 50; ++step) {
    last = run::training_step(assembly, step).loss;
    if (step == 0) first = last;
  }
  if (!(last < first))
    throw std::runtime_error(fmt::format("the self-test's loss went from {:.4f} to {:.4f}", first, last));
  return fmt::format("ok: loss {:.4f} to {:.4f} in {:.2f} s", first, last, watch.seconds());
}

std::string disk_test() {
  const std::filesystem::path probe = ".sst-train-doctor";
  try {
    write_file_atomically(probe, "probe");
    std::filesystem::remove(probe);
  } catch (const Error& error) {
    return std::string("this folder: ") + error.what();
  }
  return "this folder takes files; " + human_bytes(static_cast<double>(std::filesystem::space(".").available)) +
         " free";
}

}  // namespace

Action add_doctor(CLI::App& command) {
  command.description("versions, devices and a short training self-test");
  examples(command, "  sst-train doctor");
  return [](const CommonFlags& common) {
    const std::vector<std::pair<std::string, std::string>> lines = {
        {"sst-train", version_text()},
        {"LibTorch", TORCH_VERSION},
        {"compiler", fmt::format("g++ {}, C++ {}", __VERSION__, __cplusplus / 100 % 100)},
        {"CPU cores", std::to_string(std::thread::hardware_concurrency())},
        {"CUDA", torch::cuda::is_available() ? fmt::format("{} devices", torch::cuda::device_count()) : "no device"},
        {"disk", disk_test()},
        {"built-in recipes", std::to_string(recipe::builtin_recipes().size())},
        {"training", self_test()}};
    nlohmann::ordered_json json;
    for (const auto& [name, value] : lines) {
      if (common.json)
        json[name] = value;
      else
        fmt::print("{:<18}{}\n", name, value);
    }
    if (common.json) fmt::print("{}\n", json.dump(2));
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
