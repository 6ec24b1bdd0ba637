#include "run/snapshot.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "checkpoint/store.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/version.hpp"
#include "methods/registry.hpp"
#include "recipe/load.hpp"
#include "run/recipe_schema.hpp"
#include "tasks/registry.hpp"
#include "tensor/lorentz.hpp"

namespace sst::run {
namespace {

tensor::NamedTensors cloned(const std::map<std::string, torch::Tensor>& tensors) {
  tensor::NamedTensors copies;
  for (const auto& [name, tensor] : tensors)
    copies[name] = tensor.detach().to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true);
  return copies;
}

}  // namespace

nlohmann::json TrainState::to_json() const {
  return {
      {"step", step},
      {"elapsed_s", elapsed_s},
      {"times", {{"evaluation", times.evaluation}, {"saving", times.saving}, {"decomposition", times.decomposition}}},
      {"decomposition_mib", decomposition_mib},
      {"skipped_steps", skipped_steps},
      {"clipped_steps", clipped_steps},
      {"evaluation_due", evaluation_due},
      {"spikes",
       {{"watch", spike_watch.to_json()},
        {"all", spikes},
        {"in_row", spikes_in_row},
        {"rollbacks", rollbacks},
        {"rollbacks_in_row", rollbacks_in_row},
        {"data_left_out", data_left_out},
        {"periodic_save_step", periodic_save_step}}}};
}

TrainState TrainState::from_json(const nlohmann::json& json) {
  TrainState state;
  json.at("step").get_to(state.step);
  json.at("elapsed_s").get_to(state.elapsed_s);
  if (json.contains("times")) {  // older checkpoints did not keep them
    const auto& times = json.at("times");
    times.at("evaluation").get_to(state.times.evaluation);
    times.at("saving").get_to(state.times.saving);
    times.at("decomposition").get_to(state.times.decomposition);
  }
  state.decomposition_mib = json.value("decomposition_mib", 0.0);  // older checkpoints did not keep it
  json.at("skipped_steps").get_to(state.skipped_steps);
  state.clipped_steps = json.value("clipped_steps", int64_t{0});  // older checkpoints did not count
  state.evaluation_due = json.value("evaluation_due", false);
  if (!json.contains("spikes")) return state;  // written before there was on_spike
  const auto& spikes = json.at("spikes");
  state.spike_watch.from_json(spikes.at("watch"));
  spikes.at("all").get_to(state.spikes);
  spikes.at("in_row").get_to(state.spikes_in_row);
  spikes.at("rollbacks").get_to(state.rollbacks);
  spikes.at("rollbacks_in_row").get_to(state.rollbacks_in_row);
  spikes.at("data_left_out").get_to(state.data_left_out);
  spikes.at("periodic_save_step").get_to(state.periodic_save_step);
  return state;
}

checkpoint::Contents capture(const Assembly& assembly, const recipe::Recipe& recipe, const TrainState& state,
                             const BestTracker& best) {
  checkpoint::Contents contents;
  contents.step = state.step;
  for (const auto& [name, tensor] : nn::stored_tensors(assembly.task->model()))
    contents.model[name] = tensor.detach().to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true);
  contents.optimizer = cloned(assembly.optimizer->state_dict());
  contents.averages = cloned(assembly.averages.state_dict());
  contents.method = cloned(assembly.method->state_dict());
  contents.state = state.to_json();
  contents.state.update({{"epoch", state.step / assembly.workload.step.per_epoch},
                         {"best", best.to_json()},
                         {"plateau", assembly.plateau->state()},
                         {"micro_batch", assembly.task->chosen_micro_batch()},
                         {"data_sha256", assembly.task->data_sha256()}});
  // Every draw is a pure function of (seed, stream, index) and every index follows from the step.
  contents.rng = {{"seed", assembly.run.seed}, {"generator", "philox4x32-10"}, {"step", state.data_step()}};
  for (const auto& [name, path] : assembly.task->tokenizer_files()) contents.tokenizer[name] = read_file(path);
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

void restore_weights(const checkpoint::Contents& contents, Assembly& assembly) {
  restore_model(contents.model, assembly.task->model());
  assembly.averages.load_state_dict(contents.averages, assembly.task->model());
}

recipe::Recipe recipe_of(const checkpoint::Contents& contents, const std::filesystem::path& folder,
                         recipe::LoadOptions load) {
  const auto read = [&] {
    recipe::Diagnostics diagnostics;
    auto recipe =
        recipe::load_text(contents.recipe_yaml, (folder / "recipe.yaml").string(), load, recipe_schema(), diagnostics);
    diagnostics.throw_if_errors();
    return recipe;
  };
  auto recipe = read();
  if (contents.tokenizer.empty()) return recipe;
  const auto& kept = tasks::registry().at(recipe.text("task")).kept_tokenizer;
  const auto file = std::filesystem::absolute(kept ? folder / kept(recipe) : folder);
  load.overrides.insert(load.overrides.begin(),
                        "tokenizer.model=" + recipe::to_flow_yaml(recipe::Node::scalar(file.string())));
  return read();
}

std::unique_ptr<methods::Method> made_method(const recipe::Recipe& recipe) {
  const auto seed =
      static_cast<uint64_t>(recipe.read<RunOptions>("").seed);  // some maps hold only the seed of a matrix
  return methods::registry()
      .at(recipe.text("method.name"))
      .make(recipe, {.seed = seed, .hidden_size = 1, .step = {.tokens = 1}});
}

BuiltModel untrained_model(const recipe::Recipe& recipe) {
  BuiltModel built{.method = made_method(recipe), .task = tasks::registry().at(recipe.text("task")).make(recipe)};
  built.task->build({.linear = [&](const nn::LinearSpec& spec) { return built.method->make_linear(spec); },
                     .tensors = recipe.read<Precision>("precision").dtype()});
  return built;
}

checkpoint::Contents weights_only(const checkpoint::Contents& original, const recipe::Recipe& recipe) {
  checkpoint::Contents contents;
  contents.step = original.step;
  contents.recipe_yaml = recipe.to_yaml();
  contents.recipe_hash = recipe.hash();
  contents.tokenizer = original.tokenizer;
  contents.state = {{"step", original.step}};
  contents.rng = nlohmann::json::object();
  contents.writer_version = std::string(version_number());
  return contents;
}

TrainedTensors trained_tensors(const checkpoint::Contents& contents, const std::filesystem::path& folder,
                               const recipe::LoadOptions& load, const std::string& weights) {
  auto recipe = recipe_of(contents, folder, load);
  if (weights != "trained") {
    const auto task = tasks::registry().at(recipe.text("task")).make(recipe);
    return {.recipe = std::move(recipe),
            .step = contents.step,
            .tensors = averaged_tensors(contents.averages, weights, task->lorentz_parameters()),
            .tokenizer = contents.tokenizer};
  }
  // The model is rebuilt with its own method, so that its maps can say which matrix they apply.
  const auto built = untrained_model(recipe);
  restore_model(contents.model, built.task->model());
  TrainedTensors trained{
      .recipe = std::move(recipe), .step = contents.step, .tensors = {}, .tokenizer = contents.tokenizer};
  for (auto& [name, tensor] : nn::dense_tensors(built.task->model())) trained.tensors.emplace(name, tensor);
  return trained;
}

TrainedTensors trained_tensors(const std::filesystem::path& folder, const recipe::LoadOptions& load,
                               const std::string& weights) {
  return trained_tensors(checkpoint::load(folder), folder, load, weights);
}

checkpoint::Contents mean_of(const std::vector<std::filesystem::path>& folders) {
  require(!folders.empty(), "the mean of no checkpoints");
  const std::filesystem::path& first = folders.front();
  checkpoint::Contents mean;
  std::map<std::string, torch::Tensor> sums;
  std::vector<std::string> points;
  for (const auto& folder : folders) {
    const auto contents = checkpoint::load(folder);
    const auto tensors = trained_tensors(contents, folder, {}, "trained").tensors;
    if (&folder == &first) {
      const auto recipe = recipe_of(contents, folder, {.overrides = {"method.name=full", "train.ema=null"}});
      points = tasks::registry().at(recipe.text("task")).make(recipe)->lorentz_parameters();
      mean = weights_only(contents, recipe);
      mean.model = tensors;  // for their types
      for (const auto& [name, tensor] : tensors) sums[name] = torch::zeros_like(tensor, torch::kFloat64);
    }
    mean.step = contents.step;
    for (const auto& [name, tensor] : tensors) {
      const auto sum = sums.find(name);
      if (sum == sums.end() || sum->second.sizes() != tensor.sizes())
        throw CheckpointError("'" + folder.string() + "' holds a tensor '" + name + "' that '" + first.string() +
                                  "' has not, or has in another shape",
                              "average checkpoints of one run");
      sum->second += tensor;
    }
    if (tensors.size() != sums.size())
      throw CheckpointError("'" + folder.string() + "' lacks tensors that '" + first.string() + "' has",
                            "average checkpoints of one run");
  }
  for (auto& [name, tensor] : mean.model) {
    const torch::Tensor average = sums.at(name) / static_cast<double>(folders.size());
    const bool is_point = std::find(points.begin(), points.end(), name) != points.end();
    tensor = (is_point ? tensor::lorentz::normalise(average) : average).to(tensor.scalar_type());
  }
  mean.state = {{"step", mean.step}, {"averaged", folders.size()}};
  return mean;
}

void load_initial_weights(const std::filesystem::path& run_or_checkpoint, Assembly& assembly) {
  nn::load_dense_tensors(assembly.task->model(), trained_tensors(checkpoint::find(run_or_checkpoint)).tensors);
}

void load_initial_states(const std::filesystem::path& run_or_checkpoint, Assembly& assembly) {
  const auto contents = checkpoint::load(checkpoint::find(run_or_checkpoint));
  restore_model(contents.model, assembly.task->model());
  assembly.optimizer->load_state_dict(contents.optimizer);
  assembly.method->load_state_dict(contents.method);
}

TrainState restore(const checkpoint::Contents& contents, Assembly& assembly, BestTracker& best) {
  try {
    if (contents.state.at("data_sha256").get<std::string>() != assembly.task->data_sha256())
      throw CheckpointError("the data have changed since this checkpoint was written",
                            "restore the data, or start afresh with --overwrite");
    restore_weights(contents, assembly);
    assembly.optimizer->load_state_dict(contents.optimizer);
    assembly.method->load_state_dict(contents.method);
    assembly.plateau->load_state(contents.state.at("plateau"));
    best.from_json(contents.state.at("best"));
    assembly.task->keep_micro_batch(contents.state.value("micro_batch", int64_t{0}));
    return TrainState::from_json(contents.state);
  } catch (const nlohmann::json::exception& error) {
    throw CheckpointError(std::string("state.json of the checkpoint is not complete: ") + error.what());
  }
}

}  // namespace sst::run
