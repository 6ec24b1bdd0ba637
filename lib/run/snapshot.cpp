#include "run/snapshot.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "core/version.hpp"
#include "methods/registry.hpp"
#include "recipe/load.hpp"
#include "run/checkpoint_store.hpp"
#include "run/recipe_schema.hpp"
#include "tasks/registry.hpp"

namespace sst::run {
namespace {

tensor::NamedTensors cloned(const std::map<std::string, torch::Tensor>& tensors) {
  tensor::NamedTensors copies;
  for (const auto& [name, tensor] : tensors)
    copies[name] = tensor.detach().to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true);
  return copies;
}

}  // namespace

CheckpointContents capture(const Assembly& assembly, const recipe::Recipe& recipe, const TrainState& state,
                           const BestTracker& best) {
  CheckpointContents contents;
  contents.step = state.step;
  for (const auto& [name, tensor] : nn::stored_tensors(assembly.task->model()))
    contents.model[name] = tensor.detach().to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true);
  contents.optimizer = cloned(assembly.optimizer->state_dict());
  contents.method = cloned(assembly.method->state_dict());
  contents.state = {{"step", state.step},
                    {"epoch", state.step / assembly.workload.step.per_epoch},
                    {"elapsed_s", state.elapsed_s},
                    {"skipped_steps", state.skipped_steps},
                    {"best", best.to_json()},
                    {"plateau", assembly.plateau->state()},
                    {"data_sha256", assembly.task->data_sha256()}};
  // Every draw is a pure function of (seed, stream, index) and every index follows from the step.
  contents.rng = {{"seed", assembly.run.seed}, {"generator", "philox4x32-10"}, {"step", state.step}};
  contents.recipe_yaml = recipe.to_yaml();
  contents.recipe_hash = recipe.hash();
  contents.writer_version = std::string(version_number());
  return contents;
}

void restore_model(const tensor::NamedTensors& tensors, torch::nn::Module& model) {
  const torch::NoGradGuard no_grad;
  const auto stored = nn::stored_tensors(model);
  for (const auto& [name, tensor] : stored) {
    const auto found = tensors.find(name);
    if (found == tensors.end())
      throw CheckpointError("the checkpoint has no tensor '" + name + "'", "it was written by another recipe");
    if (found->second.sizes() != tensor.sizes())
      throw CheckpointError(fmt::format("tensor '{}' is [{}] in the checkpoint and [{}] in this model", name,
                                        fmt::join(found->second.sizes(), ", "), fmt::join(tensor.sizes(), ", ")),
                            "it was written by another recipe");
  }
  if (tensors.size() != stored.size())
    throw CheckpointError(fmt::format("the checkpoint holds {} tensors, this model {}", tensors.size(), stored.size()),
                          "it was written by another recipe");
  for (const auto& [name, tensor] : stored) tensor.detach().copy_(tensors.at(name));
}

TrainedTensors trained_tensors(const std::filesystem::path& folder, const recipe::LoadOptions& load) {
  const auto contents = load_checkpoint(folder);
  recipe::Diagnostics diagnostics;
  auto recipe =
      recipe::load_text(contents.recipe_yaml, (folder / "recipe.yaml").string(), load, recipe_schema(), diagnostics);
  diagnostics.throw_if_errors();
  // The model is rebuilt with its own method, so that its maps can say which matrix they apply.
  const auto task = tasks::registry().at(recipe.text("task")).make(recipe);
  const auto seed =
      static_cast<uint64_t>(recipe.read<RunOptions>("").seed);  // some maps hold only the seed of a matrix
  const auto method = methods::registry().at(recipe.text("method.name")).make(recipe, {.seed = seed, .hidden_size = 1});
  task->build({.linear = [&](const nn::LinearSpec& spec) { return method->make_linear(spec); },
               .tensors = recipe.read<Precision>("precision").dtype()});
  restore_model(contents.model, task->model());
  TrainedTensors trained{.recipe = std::move(recipe), .step = contents.step, .tensors = {}};
  for (auto& [name, tensor] : nn::dense_tensors(task->model())) trained.tensors.emplace(name, tensor);
  return trained;
}

void load_initial_weights(const std::filesystem::path& run_or_checkpoint, Assembly& assembly) {
  nn::load_dense_tensors(assembly.task->model(), trained_tensors(find_checkpoint(run_or_checkpoint)).tensors);
}

TrainState restore(const CheckpointContents& contents, Assembly& assembly, BestTracker& best) {
  try {
    if (contents.state.at("data_sha256").get<std::string>() != assembly.task->data_sha256())
      throw CheckpointError("the data have changed since this checkpoint was written",
                            "restore the data, or start afresh with --overwrite");
    restore_model(contents.model, assembly.task->model());
    assembly.optimizer->load_state_dict(contents.optimizer);
    assembly.method->load_state_dict(contents.method);
    assembly.plateau->load_state(contents.state.at("plateau"));
    best.from_json(contents.state.at("best"));
    return {.step = contents.state.at("step").get<int64_t>(),
            .elapsed_s = contents.state.at("elapsed_s").get<double>(),
            .skipped_steps = contents.state.at("skipped_steps").get<int64_t>()};
  } catch (const nlohmann::json::exception& error) {
    throw CheckpointError(std::string("state.json of the checkpoint is not complete: ") + error.what());
  }
}

}  // namespace sst::run
