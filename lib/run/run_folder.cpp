#include "run/run_folder.hpp"

#include <torch/version.h>
#include <unistd.h>

#include <fstream>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "dist/launch.hpp"
#include "run/host.hpp"
#include "run/run_lock.hpp"

extern char** environ;

namespace sst::run {
namespace {

constexpr const char* kAside = ".old-";

/// Nothing else of the environment is stored: it may hold secrets. Slurm itself hands out one, SLURM_JWT.
bool is_allowed(const std::string& variable) {
  for (const char* secret : {"*JWT*", "*TOKEN*", "*KEY*", "*SECRET*", "*PASS*"})
    if (glob_match(secret, variable)) return false;
  for (const char* allowed : {"SLURM_*", "SST_*", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE",
                              "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"})
    if (glob_match(allowed, variable)) return true;
  return false;
}

nlohmann::json allowed_variables() {
  nlohmann::json variables = nlohmann::json::object();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string line = *entry, name = line.substr(0, line.find('='));
    if (is_allowed(name) && name.size() < line.size()) variables[name] = line.substr(name.size() + 1);
  }
  return variables;
}

nlohmann::json environment(const std::vector<std::string>& arguments) {
  return {{"sst_train", std::string(version_number())},
          {"commit", std::string(version_commit())},
          {"libtorch", TORCH_VERSION},
          {"compiler", __VERSION__},
          {"host", host_name()},
          {"job", job_id()},
          {"argv", arguments},
          {"variables", allowed_variables()}};
}

bool is_rendezvous(const std::string& name) { return starts_with(name, dist::kRendezvous); }

/// Of leaders that were killed while they waited for their others. Ours has met them, and no other job can train here while we
/// hold the lock.
void remove_rendezvous(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> left;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (is_rendezvous(entry.path().filename().string())) left.push_back(entry.path());
  for (const auto& file : left) std::filesystem::remove(file, ignored);
}

/// What a run may have left in its folder before run.json was there.
bool is_run_file(const std::string& name) {
  for (const char* ours : {"checkpoints", "lock", "log*", "recipe*.yaml", "environment.json*", "run.json*", "metrics.*",
                           "tb", "eval", "report.*", "DONE", "stop", "save"})
    if (glob_match(ours, name)) return true;
  return is_rendezvous(name);
}

/// A folder of somebody's own files must not become a run directory by a slip in --out.
void refuse_foreign_folder(const std::filesystem::path& path) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const std::string name = entry.path().filename().string();
    if (!is_run_file(name))
      throw UserError("'" + path.string() + "' is not empty and holds no run: there is '" + name + "'",
                      "give --out a new or an empty folder");
  }
}

}  // namespace

RunFolder::RunFolder(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error || !is_folder(path_))
    throw ResourceError("cannot make '" + path_.string() + "': " + (error ? error.message() : "it is a file"),
                        "choose another place with out_root or --out");
  if (!holds_a_run(path_)) refuse_foreign_folder(path_);
  std::ifstream stream(path_ / "run.json");
  if (stream) run_ = nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
  if (!run_.is_object()) run_ = nlohmann::json::object();
  if (!run_.contains("attempts") || !run_["attempts"].is_array()) run_["attempts"] = nlohmann::json::array();
}

bool RunFolder::holds_a_run(const std::filesystem::path& path) {
  return path_surely_exists(path / "run.json") || path_surely_exists(path / "checkpoints");
}

bool RunFolder::is_aside(const std::filesystem::path& path) {
  return path.filename().string().find(kAside) != std::string::npos;
}

void RunFolder::move_aside(const std::filesystem::path& path) {
  if (!path_surely_exists(path)) return;
  if (!is_folder(path)) throw UserError("'" + path.string() + "' is a file, not a run directory");
  const auto normal = path.lexically_normal();
  const auto without_slash = normal.has_filename() ? normal : normal.parent_path();
  { const RunLock nobody_else(path); }  // a run that still trains is not moved from under its process
  for (int number = 1;; ++number) {
    const std::filesystem::path target = without_slash.string() + kAside + std::to_string(number);
    if (path_exists(target)) continue;
    std::error_code error;
    std::filesystem::rename(path, target, error);
    if (error) throw ResourceError("cannot move '" + path.string() + "' aside: " + error.message());
    log::info("the earlier run is now {}", target.string());
    return;
  }
}

std::optional<nlohmann::json> RunFolder::done(const std::filesystem::path& path) {
  std::ifstream stream(path / "DONE");
  if (!stream) return std::nullopt;
  auto json = nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

void RunFolder::begin_attempt(const recipe::Recipe& recipe, const std::vector<std::string>& arguments,
                              int64_t from_step) {
  std::error_code ignored;
  std::filesystem::remove(path_ / "DONE", ignored);
  std::filesystem::remove(path_ / "stop", ignored);
  remove_half_written(path_);
  remove_rendezvous(path_);
  write_file_atomically(path_ / "recipe.input.yaml", recipe.input_text());
  write_file_atomically(path_ / "recipe.yaml", recipe.to_yaml());
  write_file_atomically(path_ / "environment.json", environment(arguments).dump(2) + "\n");
  // An attempt that has no end was killed.
  if (attempts() > 0 && !run_["attempts"].back().contains("ended")) run_["attempts"].back()["reason"] = "killed";
  run_["attempts"].push_back({{"started", utc_now()}, {"from_step", from_step}, {"pid", ::getpid()}});
  run_["state"] = "running";
  run_["recipe_hash"] = recipe.hash();
  run_["step"] = from_step;
  run_.erase("exit_code");
  write();
}

void RunFolder::update(const nlohmann::json& facts) {
  run_.merge_patch(facts);
  write();
}

void RunFolder::end_attempt(const std::string& state, int exit_code, const std::string& reason) {
  run_["state"] = state;
  run_["exit_code"] = exit_code;
  auto& attempt = run_["attempts"].back();
  attempt["ended"] = utc_now();
  attempt["reason"] = reason;
  try {
    write();
  } catch (const Error& error) {
    log::warning("{}", error.what());  // the reason the run ended is worth more than this file
  }
}

void RunFolder::mark_done(const nlohmann::json& contents) {
  write_file_atomically(path_ / "DONE", contents.dump(2) + "\n");
}

bool RunFolder::take(const char* name) {
  if (::access((path_ / name).c_str(), F_OK) != 0) return false;
  std::error_code ignored;
  std::filesystem::remove(path_ / name, ignored);
  return true;
}

void RunFolder::write() {
  write_file_atomically(path_ / "run.json", run_.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace sst::run
