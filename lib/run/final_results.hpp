#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "checkpoint/store.hpp"
#include "run/assembly.hpp"
#include "run/snapshot.hpp"
#include "run/train.hpp"

namespace sst::run {

/// The held-out splits, with the checkpoint that the recipe asks for. False where a stop cut it short: the last checkpoint
/// is on disk, and the same command comes back here. Not so from weights alone, which are evaluated to the end.
bool add_final_results(Assembly& assembly, const checkpoint::Store& store, const std::filesystem::path& run_dir,
                       const std::function<bool()>& stop_requested, TrainOutcome& outcome);

/// What run.json and the reports know of a run: results, parameters, memory, times. `measured_bytes`: the tensors' peak.
nlohmann::json run_summary(const Assembly& assembly, const TrainState& state, int64_t measured_bytes,
                           const TrainOutcome& outcome);

}  // namespace sst::run
