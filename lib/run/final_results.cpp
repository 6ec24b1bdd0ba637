#include "run/final_results.hpp"

#include "core/version.hpp"
#include "report/metric_words.hpp"
#include "run/evaluation_files.hpp"
#include "run/memory.hpp"
#include "run/stop_signals.hpp"

namespace sst::run {

bool add_final_results(Assembly& assembly, const checkpoint::Store& store, const std::filesystem::path& run_dir,
                       const std::function<bool()>& stop_requested, TrainOutcome& outcome) {
  assembly.group->barrier();  // the leader has written it
  const auto contents = store.load(assembly.eval.checkpoint);
  restore_weights(contents, assembly);
  const auto between = [&] {
    const bool asked = stop_requested();  // a sign of life too
    if (asked && !assembly.checkpoint.weights_only_at_end) throw StopAsked();
  };
  const auto signatures = assembly.task->signatures();
  try {
    for (const std::string& split : assembly.task->splits()) {
      const auto result = evaluate(assembly, split, between);
      if (assembly.group->is_leader())
        write_evaluation(run_dir,
                         {.step = contents.step,
                          .split = split,
                          .metrics = result.metrics,
                          .examples = result.examples,
                          .signatures = signatures},
                         result);
      for (const auto& [name, value] : result.metrics) {
        outcome.results[split + "/" + name] = value;
        if (const auto found = signatures.find(std::string(report::metric_leaf(name))); found != signatures.end())
          outcome.signatures[split + "/" + name] = found->second;
      }
    }
  } catch (const StopAsked&) {
    outcome.results.clear();
    outcome.signatures.clear();
    return false;
  }
  return true;
}

nlohmann::json run_summary(const Assembly& assembly, const TrainState& state, int64_t measured_bytes,
                           const TrainOutcome& outcome) {
  const auto counts = count_parameters(assembly);
  const auto& times = state.times;
  const MemoryEstimate estimate = estimate_memory(assembly);
  return {{"results", outcome.results},
          {"signatures", outcome.signatures},
          {"parameters", {{"total", counts.total}, {"trainable", counts.trainable}}},
          {"memory",
           {{"estimated_bytes", estimate.total()},
            {"state_bytes", estimate.parameters + estimate.gradients + estimate.optimizer_states},
            {"decomposition_bytes", state.decomposition_mib * (1 << 20)},
            {"measured_bytes", measured_bytes},
            {"resident_bytes", peak_memory_bytes(assembly.device)}}},
          {"seconds", state.elapsed_s + times.evaluation + times.saving},
          {"time_split",
           {{"compute", state.elapsed_s - times.decomposition},
            {"svd", times.decomposition},
            {"evaluation", times.evaluation},
            {"saving", times.saving}}},
          {"version", version_text()}};
}

}  // namespace sst::run
