#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "recipe/recipe.hpp"

namespace sst::run {

/// The files of a run directory beside checkpoints and measurements:
///
///     recipe.input.yaml  what the user wrote, inherited files and overrides included
///     recipe.yaml        resolved, complete
///     environment.json   versions, host, argv, allow-listed variables
///     run.json           state, exit code, step, best, attempts
///     DONE               written last
///     stop, save         made by the user: save and end, save and go on
class RunFolder {
 public:
  /// Makes the folder, or takes up the run in it.
  ///   throws  UserError when it holds other files but no run; ResourceError when it cannot be made
  explicit RunFolder(std::filesystem::path path);

  static bool holds_a_run(const std::filesystem::path& path);
  /// Renames an existing run directory to `*.old-N`; nothing is ever deleted. Does nothing where there is none.
  ///   throws  UserError while a live process holds its lock
  static void move_aside(const std::filesystem::path& path);
  /// Whether that is what became of it.
  static bool is_aside(const std::filesystem::path& path);
  /// What DONE says, where there is one: {"step", "recipe_hash", "results"}.
  static std::optional<nlohmann::json> done(const std::filesystem::path& path);

  /// Writes recipe and environment, and run.json in state "running" with one more attempt.
  void begin_attempt(const recipe::Recipe& recipe, const std::vector<std::string>& arguments, int64_t from_step);
  /// Merges `facts` into run.json ("step", "best", "summary").
  void update(const nlohmann::json& facts);
  /// finished, stopped or failed, with the reason of this attempt.
  void end_attempt(const std::string& state, int exit_code, const std::string& reason);
  /// The run is complete: written last of all.
  void mark_done(const nlohmann::json& contents);

  /// Whether the user made the file `stop` (or `save`); taken away when seen.
  bool take_stop_request() { return take("stop"); }
  bool take_save_request() { return take("save"); }

  int64_t attempts() const { return static_cast<int64_t>(run_["attempts"].size()); }
  const std::filesystem::path& path() const { return path_; }

 private:
  bool take(const char* name);
  void write();

  std::filesystem::path path_;
  nlohmann::json run_;
};

}  // namespace sst::run
