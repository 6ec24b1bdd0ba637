#include "run/assembly.hpp"

#include <ATen/Context.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/memory.hpp"
#include "core/text.hpp"
#include "methods/registry.hpp"
#include "optim/registry.hpp"
#include "run/device.hpp"
#include "tasks/registry.hpp"
#include "tensor/device_memory.hpp"
#include "tensor/memory_meter.hpp"

namespace sst::run {
namespace {

/// Of what the system says is available. What is resident was up to 1.6 times the tensors: allocators leave gaps, and
/// matrix products and decompositions have buffers of their own (docs/training.md, "Memory").
constexpr double kUsableMemory = 0.6;

/// Local names that `names(map)` gives, prefixed with the path of the linear map they belong to.
template <class Names>
std::set<std::string> names_in_linear_maps(torch::nn::Module& model, const Names& names) {
  std::set<std::string> full;
  for (const auto& item : model.named_modules("", /*include_self=*/false)) {
    const auto* map = dynamic_cast<const nn::LinearMap*>(item.value().get());
    if (map == nullptr) continue;
    for (const std::string& name : names(*map)) full.insert(item.key() + "." + name);
  }
  return full;
}

std::set<std::string> linear_map_prefixes(torch::nn::Module& model) {
  return names_in_linear_maps(model, [](const nn::LinearMap&) { return std::vector<std::string>{""}; });
}

/// What `weight_decay_on: matrices` means: what each linear map calls its matrix, and other tensors of two dimensions
/// or more.
bool is_matrix(const std::string& name, const torch::Tensor& tensor, const std::set<std::string>& decayed_by_maps,
               const std::set<std::string>& map_prefixes) {
  const bool inside_a_map = map_prefixes.count(name.substr(0, name.rfind('.') + 1)) > 0;
  return inside_a_map ? decayed_by_maps.count(name) > 0 : tensor.dim() >= 2;
}

/// `runtime.attention`, for every attention of this process.
void choose_attention(const Assembly& assembly) {
  const std::string& word = assembly.runtime.attention;
  const auto compute = assembly.precision.compute_type().value_or(assembly.precision.dtype());
  if (word == "flash" && assembly.device.is_cuda() && compute != torch::kBFloat16)
    throw UserError("runtime.attention is flash, but its kernel on a GPU computes in bfloat16 only",
                    "use precision=bf16_mixed, or runtime.attention=auto");
  auto& context = at::globalContext();
  context.setSDPUseFlash(word != "math");
  context.setSDPUseMath(word != "flash");
  context.setSDPUseMemEfficient(word == "auto");
  context.setSDPUseCuDNN(word == "auto");
}

void set_up_gpu(const Assembly& assembly) {
  auto& context = at::globalContext();
  context.setFloat32MatmulPrecision(assembly.precision.compute == "tf32" ? "high" : "highest");
  if (!assembly.runtime.deterministic) return;
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);  // read when cuBLAS starts
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  context.setDeterministicFillUninitializedMemory(false);
}

nn::InitScheme init_scheme(const recipe::Recipe& recipe) {
  using Kind = nn::InitScheme::Kind;
  const auto word = recipe.read<InitOptions>("init").scheme;
  if (word == "normal") return {.kind = Kind::kNormal, .deviation = recipe.read<NormalInitOptions>("init").std};
  return {.kind = word == "xavier_uniform" ? Kind::kXavierUniform : Kind::kDefault};
}

/// Of tensors whose gradients a method makes after backward.
std::set<std::string> late_gradients(torch::nn::Module& model) {
  return names_in_linear_maps(model, [](const nn::LinearMap& map) {
    return map.has_late_gradients() ? map.low_rank_names() : std::vector<std::string>{};
  });
}

void add_parameters(Assembly& assembly) {
  auto& model = assembly.task->model();
  const auto low_rank = names_in_linear_maps(model, [](const nn::LinearMap& map) { return map.low_rank_names(); });
  const auto decayed = names_in_linear_maps(model, [](const nn::LinearMap& map) { return map.decayed_names(); });
  const auto like_matrices = names_in_linear_maps(model, [](const nn::LinearMap& map) {
    return map.decays_like_its_matrix() ? map.decayed_names() : std::vector<std::string>{};
  });
  const auto prefixes = linear_map_prefixes(model);
  const auto points = assembly.task->lorentz_parameters();
  for (const auto& [name, tensor] : nn::trainable_tensors(model)) {
    const bool is_point = std::find(points.begin(), points.end(), name) != points.end();
    assembly.optimizer->add(
        {.name = name,
         .tensor = tensor,
         .geometry = is_point ? optim::Geometry::kLorentz : optim::Geometry::kEuclidean,
         .group = low_rank.count(name) > 0 ? optim::Group::kLowRank : optim::Group::kBase,
         .decay =
             !is_point && optim::takes_weight_decay(assembly.optim, name, is_matrix(name, tensor, decayed, prefixes)),
         .decay_at_base_rate = like_matrices.count(name) > 0});
  }
}

int64_t last_step(const TrainOptions& train, const recipe::StepUnits& step) {
  int64_t last = 0;
  const auto limit = [&](int64_t steps) { last = last == 0 ? steps : std::min(last, steps); };
  if (train.max_steps) limit(*train.max_steps);
  if (train.max_epochs) limit(*train.max_epochs * step.per_epoch);
  if (train.max_train_tokens && step.tokens > 0) limit((*train.max_train_tokens + step.tokens - 1) / step.tokens);
  return last;
}

}  // namespace

ParameterCounts count_parameters(const Assembly& assembly) {
  ParameterCounts counts;
  for (const auto& [name, tensor] : nn::stored_tensors(assembly.task->model()))
    if (tensor.is_floating_point()) counts.total += tensor.numel();
  for (const auto& parameter : assembly.optimizer->parameters()) counts.trainable += parameter.tensor.numel();
  return counts;
}

namespace {

/// All but the activations, which the task may still have to decide.
MemoryEstimate standing_memory(const Assembly& assembly) {
  const auto counts = count_parameters(assembly);
  const double bytes_each = static_cast<double>(torch::elementSize(assembly.precision.dtype()));
  double states = static_cast<double>(assembly.optimizer->moment_bytes());
  for (const auto& [name, tensor] : assembly.method->state_dict()) states += static_cast<double>(tensor.nbytes());
  int64_t gradients = counts.trainable;
  if (assembly.method->updates_within_backward()) {
    gradients = 0;  // one at a time
    for (const auto& parameter : assembly.optimizer->parameters())
      gradients = std::max(gradients, parameter.tensor.numel());
  }
  double dense = 0;  // numbers of the model with plain matrices
  if (assembly.train.ema)
    nn::for_each_dense_tensor(assembly.task->model(), [&](const std::string&, const torch::Tensor& tensor) {
      dense += static_cast<double>(tensor.numel());
    });
  MemoryEstimate estimate = {
      .parameters = static_cast<double>(counts.total) * bytes_each,
      .gradients = static_cast<double>(gradients) * bytes_each + assembly.method->extra_gradient_bytes(),
      .optimizer_states = states,
      .averages = static_cast<double>(assembly.train.ema_decays().size()) * dense * std::max(4.0, bytes_each)};
  if (assembly.device.is_cpu())
    estimate.snapshots = static_cast<double>(assembly.checkpoint.copies_in_memory()) * estimate.checkpoint();
  return estimate;
}

}  // namespace

MemoryEstimate estimate_memory(const Assembly& assembly) {
  MemoryEstimate estimate = standing_memory(assembly);
  estimate.activations =
      std::max(0.0, assembly.task->step_bytes(estimate.gradients) - estimate.gradients) + assembly.data_bytes;
  return estimate;
}

namespace {

/// What the recipe says; nothing is made yet.
Assembly with_options(const recipe::Recipe& recipe, std::shared_ptr<const dist::Group> group) {
  Assembly assembly;
  assembly.group = std::move(group);
  assembly.run = recipe.read<RunOptions>("");
  assembly.train = recipe.read<TrainOptions>("train");
  assembly.eval = recipe.read<EvalOptions>("eval");
  assembly.checkpoint = recipe.read<CheckpointOptions>("checkpoint");
  assembly.logging = recipe.read<LoggingOptions>("logging");
  assembly.runtime = recipe.read<RuntimeOptions>("runtime");
  assembly.distributed = recipe.read<DistributedOptions>("distributed");
  assembly.optim = recipe.read<optim::OptimOptions>("optim");
  assembly.precision = recipe.read<Precision>("precision");
  return assembly;
}

void set_task(Assembly& assembly, const recipe::Recipe& recipe, std::unique_ptr<tasks::Task> task) {
  assembly.task = std::move(task);
  if (!assembly.group->is_alone() && !assembly.task->can_share())
    throw UserError(
        fmt::format("{}: 'task: {}' is trained by one process, but {} were started", recipe.place("task").text(),
                    assembly.run.task, assembly.group->size()),
        "start it without --nproc, torchrun, srun or mpirun; `sweep --jobs` trains several runs side by side");
  assembly.task->set_group(assembly.group);
  assembly.workload = assembly.task->workload();
}

/// Of what the meter has seen made, all that no name in model and method stands for.
double unnamed_bytes(const Assembly& assembly, const tensor::TensorMemoryMeter& meter) {
  double named = 0;
  const auto count = [&](const torch::Tensor& tensor) {
    if (tensor.device() == assembly.device) named += static_cast<double>(tensor.nbytes());
  };
  for (const auto& [name, tensor] : nn::stored_tensors(assembly.task->model()))
    if (tensor.is_floating_point()) count(tensor);
  for (const auto& [name, tensor] : assembly.method->state_dict()) count(tensor);
  return std::max(0.0, static_cast<double>(meter.live_bytes()) - (assembly.device.is_meta() ? 0 : named));
}

/// Method, model and optimizer.
void build(Assembly& assembly, const recipe::Recipe& recipe) {
  const auto seed = static_cast<uint64_t>(assembly.run.seed);
  assembly.method = methods::registry()
                        .at(recipe.value<std::string>("method.name"))
                        .make(recipe, {.seed = seed,
                                       .hidden_size = assembly.workload.hidden_size,
                                       .rows_per_step = assembly.workload.rows_per_step,
                                       .step = assembly.workload.step,
                                       .euclidean = assembly.workload.euclidean,
                                       .group = assembly.group});
  if (!assembly.group->is_alone() && assembly.method->updates_within_backward())
    throw UserError(
        fmt::format("{}: several processes cannot train with a method that updates each tensor within backward",
                    recipe.place("method").text()),
        "give method.layerwise: false, or start one process");
  assembly.task->build({.linear = [&](const nn::LinearSpec& spec) { return assembly.method->make_linear(spec); },
                        .seed = seed,
                        .tensors = torch::TensorOptions(assembly.precision.dtype()).device(assembly.device),
                        .init = init_scheme(recipe)});

  assembly.optimizer =
      std::make_unique<optim::Optimizer>(optim::make_rule(assembly.optim), assembly.optim.weight_decay);
  if (assembly.precision.stochastic_rounding.value_or(false)) assembly.optimizer->round_stochastically(seed);
  add_parameters(assembly);
  assembly.method->attach(*assembly.optimizer);
  if (assembly.distributed.shard_optimizer) assembly.optimizer->shard(assembly.group);
  assembly.averages = Averages(assembly.train.ema_decays());
}

void record_steps(Assembly& assembly) {
  auto graph = tensor::make_device_graph(assembly.device);
  if (!graph) return;
  if (!assembly.group->is_alone())
    throw UserError("runtime.cuda_graphs cannot record the exchange of gradients between processes",
                    "start one process, or leave it out");
  assembly.recording =
      std::make_unique<StepGraph>(*assembly.task, *assembly.optimizer, assembly.device, std::move(graph));
}

/// What a step may take of `memory` that is free once the model is there. A recording holds a second one.
void set_budget(Assembly& assembly, double memory) {
  if (assembly.recording) memory /= 2;
  const auto standing = standing_memory(assembly);
  assembly.task->set_memory_budget(memory - (standing.total() - standing.parameters - standing.gradients),
                                   evaluation_pass(assembly));
}

}  // namespace

Assembly assemble(const recipe::Recipe& recipe, std::shared_ptr<const dist::Group> group) {
  return_freed_memory();
  Assembly assembly = with_options(recipe, std::move(group));
  assembly.device = resolve_device(assembly.runtime.device);
  if (assembly.device.is_cuda()) set_up_gpu(assembly);
  choose_attention(assembly);

  // What the leader trains and prepares the others find, however long it takes.
  const tensor::TensorMemoryMeter meter(assembly.device.type(), tensor::TensorMemoryMeter::Outer::kCountsToo);
  if (!assembly.group->is_leader()) assembly.group->barrier(dist::kLongWait);
  set_task(assembly, recipe, tasks::registry().at(assembly.run.task).make(recipe));
  if (assembly.group->is_leader()) assembly.group->barrier(dist::kLongWait);
  assembly.total_steps = last_step(assembly.train, assembly.workload.step);

  build(assembly, recipe);
  assembly.data_bytes = unnamed_bytes(assembly, meter);
  const auto schedule = recipe.read<optim::ScheduleOptions>("schedule");
  assembly.schedule =
      optim::make_schedule(schedule, {.total_steps = assembly.total_steps,
                                      .step = assembly.workload.step,
                                      .restart_warmup_steps = recipe.has("method.restart_warmup_steps")
                                                                  ? recipe.value<int64_t>("method.restart_warmup_steps")
                                                                  : 0,
                                      .peak_lr = assembly.optim.lr});
  assembly.schedule_restarts = schedule.cycle && !schedule.cycle->is_off();
  assembly.plateau = std::make_unique<optim::Plateau>(schedule);
  assembly.exchange = std::make_unique<GradientExchange>(assembly.group, late_gradients(assembly.task->model()));
  if (assembly.runtime.cuda_graphs) record_steps(assembly);
  keep_freed_memory();
  set_budget(assembly, kUsableMemory * static_cast<double>(tensor::free_memory_bytes(assembly.device)));
  return assembly;
}

Assembly sketch(const recipe::Recipe& recipe, int64_t processes, double memory) {
  Assembly assembly = with_options(recipe, dist::Group::imagined(processes));
  assembly.device = torch::kMeta;
  const tensor::TensorMemoryMeter meter(torch::kCPU, tensor::TensorMemoryMeter::Outer::kCountsToo);  // of the data
  const auto& entry = tasks::registry().at(assembly.run.task);
  set_task(assembly, recipe, entry.sketch ? entry.sketch(recipe) : entry.make(recipe));
  build(assembly, recipe);
  assembly.data_bytes = unnamed_bytes(assembly, meter);
  set_budget(assembly, memory - standing_memory(assembly).parameters - assembly.data_bytes);
  return assembly;
}

void match_rates(Assembly& assembly, const recipe::Recipe& recipe) {
  const auto schedule = recipe.read<optim::ScheduleOptions>("schedule");
  if (schedule.name == "match_effective")
    assembly.matched = std::make_unique<MatchedRates>(schedule.file->text, schedule.scope == "per_matrix",
                                                      assembly.total_steps, assembly.optimizer->parameters());
}

tasks::Evaluated evaluate(Assembly& assembly, const std::string& split, const tasks::BetweenBatches& between) {
  auto& task = *assembly.task;
  task.model().eval();
  const auto at_batch = [&] {
    fault_point("evaluation.batch");
    between();
  };
  auto result = task.evaluate(split, evaluation_pass(assembly), at_batch);
  for (const std::string& average : assembly.averages.names()) {
    const nn::Substitution averaged(
        task.model(), averaged_tensors(assembly.averages.state_dict(), average, task.lorentz_parameters()));
    for (const auto& [name, value] : task.evaluate(split, evaluation_pass(assembly), at_batch).metrics)
      result.metrics[average + "/" + name] = value;
  }
  return result;
}

}  // namespace sst::run
