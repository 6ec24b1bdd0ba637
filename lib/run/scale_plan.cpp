#include "run/scale_plan.hpp"

#include <algorithm>
#include <limits>

#include "nn/linear.hpp"

namespace sst::run {
namespace {

/// The rest is the CUDA context, workspaces of libraries and what lies between blocks of the allocator.
constexpr double kUsable = 0.9;

/// Operations of a step, of all processes together.
double step_flops(const Assembly& assembly) {
  const auto rows = static_cast<double>(assembly.workload.rows_per_step);
  double flops = assembly.task->flops_beside_maps();
  for (const auto& item : assembly.task->model().named_modules("", /*include_self=*/false)) {
    const auto* map = dynamic_cast<const nn::LinearMap*>(item.value().get());
    if (map == nullptr) continue;
    const nn::RowFlops row = map->flops_per_row();
    const bool twice = assembly.task->recomputes_blocks() && map->spec().in_block;
    flops += rows * (row.forward * (twice ? 2 : 1) + row.backward);
  }
  return flops;
}

/// By each process: an all-reduce in a ring sends (p − 1)/p of what is summed twice; a reduce-scatter of gradients and an
/// all-gather of weights send it once each.
double exchanged_bytes(const Assembly& assembly) {
  double bytes = 0;
  for (const auto& parameter : assembly.optimizer->parameters())
    bytes += static_cast<double>(parameter.tensor.nbytes());
  const auto processes = static_cast<double>(assembly.group->size());
  return 2 * bytes * (processes - 1) / processes;
}

}  // namespace

double ScalePlan::hidden_s() const { return std::max(compute_s, exchange_s); }

double ScalePlan::in_turn_s() const { return compute_s + exchange_s; }

ScalePlan plan_for(const recipe::Recipe& recipe, const Machine& machine) {
  const double usable =
      machine.device_memory > 0 ? kUsable * machine.device_memory : std::numeric_limits<double>::infinity();
  const Assembly assembly = sketch(recipe, machine.processes, usable);
  ScalePlan plan{.parameters = count_parameters(assembly), .memory = estimate_memory(assembly)};
  plan.micro_batch = assembly.task->chosen_micro_batch();
  plan.fits = plan.memory.total() <= usable;
  plan.flops = step_flops(assembly) / static_cast<double>(machine.processes);
  plan.sent_bytes = exchanged_bytes(assembly);
  if (machine.flops > 0) plan.compute_s = plan.flops / machine.flops;
  if (machine.link > 0) plan.exchange_s = plan.sent_bytes / machine.link;
  return plan;
}

}  // namespace sst::run
