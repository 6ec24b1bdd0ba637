#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "report/plot.hpp"
#include "report/prune_curve.hpp"

namespace sst::report {

/// Singular values of a layer at a step, descending (layer_statistics.hpp).
struct Spectrum {
  int64_t step = 0;
  std::vector<double> values = {};
};

/// A run as reports see it. Zero stands for "not known" in sizes and times.
struct RunRecord {
  std::string path = {};                         ///< its folder
  std::map<std::string, std::string> keys = {};  ///< the resolved recipe, flat: "method.rank" → "2"
  int64_t seed = 0;
  std::string state = "missing";  ///< finished, running, stopped, failed, diverged, missing or unreadable
  std::string reason = {};        ///< of a state that is not "finished", where the files tell
  int64_t step = 0;               ///< the last one
  std::map<std::string, double> results =
      {};  ///< "test/f1" → value as in files: fractions; not finite where a run said so
  std::map<std::string, std::string> signatures = {};  ///< of results that compare with their like only: "test/bleu"
  int64_t parameters_total = 0;
  int64_t parameters_trainable = 0;
  double estimated_bytes = 0;
  double measured_bytes = 0;
  double state_bytes = 0;          ///< weights, gradients and the optimizer's states
  double decomposition_bytes = 0;  ///< the most that one SVD took beside them
  double seconds = 0;
  std::map<std::string, double> time_split = {};  ///< "compute", "data", "evaluation", "saving", "svd" → seconds
  std::string version = {};
  std::map<std::string, Curve> curves = {};                   ///< "train/loss", "valid/f1", … of metrics.jsonl
  std::map<std::string, std::vector<Spectrum>> spectra = {};  ///< by layer, where `logging.per_layer` measured them
  std::vector<PrunePoint> pruning = {};                       ///< what `sst-train prune` left in prune.json
};

/// A result by its name, in the unit of files: one of `results`, or of what the run took: "run/hours", "run/svd_hours" (both
/// of training alone), "run/memory_mib" (measured peak), "run/state_mib", "run/svd_mib".
std::optional<double> result_of(const RunRecord& run, const std::string& metric);

/// Reads run.json, recipe.yaml and metrics.jsonl of a run directory. Never throws for what a run left behind:
/// a folder without run.json is "missing", files that cannot be read make it "unreadable" with the reason,
/// and a torn line of metrics.jsonl is left out. A failed run with exit code 6 is "diverged". What lm-evaluation-harness
/// wrote below zero_shot/ becomes the results "zero_shot/TASK", accuracies or, where a task has none, its F1.
RunRecord read_run(const std::filesystem::path& run_dir, const std::string& planned = {});

/// The mappings of a YAML text, flat: {"method.rank", "2"}; a list is its flow form "[1, 2]", null is left
/// out. Throws DataError with line and column where the text is no YAML.
std::map<std::string, std::string> flat_recipe(const std::string& yaml);

}  // namespace sst::report
