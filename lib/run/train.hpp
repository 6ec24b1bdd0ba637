#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "recipe/recipe.hpp"

namespace sst::run {

/// What belongs to this invocation and not to the result.
struct TrainFlags {
  std::string resume = "auto";  ///< auto, never, must, or a checkpoint folder
  bool overwrite = false;
  bool dry_run = false;
  std::optional<int64_t> max_time_s;
  std::optional<std::filesystem::path> out;
  std::string log_format;  ///< empty: not given
  std::string color = "auto";
  bool quiet = false;
  std::vector<std::string> arguments;  ///< argv, for environment.json
};

struct TrainOutcome {
  ExitCode code = ExitCode::kDone;
  std::filesystem::path run_dir;
  std::map<std::string, double> results;               ///< "test/f1", … once the run has finished
  std::map<std::string, std::string> signatures = {};  ///< of "test/bleu" and its like: what makes it comparable
};

/// Trains a recipe in its run directory: resumes, steps, evaluates, saves, reports. Safe to call again: it goes on, or
/// says that the run is finished.
///   throws    Error of the kind the exit code names; the last good checkpoint is kept
TrainOutcome train(const recipe::Recipe& recipe, const TrainFlags& flags);

/// `<out_root>/<name>/<hash8>-s<seed>`, or `out`.
std::filesystem::path run_directory(const recipe::Recipe& recipe, const std::optional<std::filesystem::path>& out);

/// `<out_root>/<name>`: where the runs of a recipe lie side by side.
std::filesystem::path runs_folder(const recipe::Recipe& recipe);

}  // namespace sst::run
