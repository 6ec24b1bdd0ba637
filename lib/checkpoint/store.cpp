#include "checkpoint/store.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "core/number.hpp"
#include "core/text.hpp"

namespace sst::checkpoint {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view kStep = "step-";
constexpr std::string_view kTemporary = ".tmp-";  ///< being written or being deleted: of no value
constexpr std::string_view kReplaced = ".old-";   ///< a checkpoint whose successor of the same step is on its way

/// 12000 from "step-12000" or "step-00012000".
std::optional<int64_t> step_of(std::string_view name) {
  if (!starts_with(name, kStep)) return std::nullopt;
  const auto step = number_from<int64_t>(name.substr(kStep.size()));
  return step.value_or(-1) >= 0 ? step : std::nullopt;
}

std::string with_pid(std::string_view prefix, const std::string& name) {
  return fmt::format("{}{}-{}", prefix, name, ::getpid());
}

/// The names of all entries, taken before anything is renamed.
std::vector<std::string> entries(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) names.push_back(entry.path().filename().string());
  if (error && path_surely_exists(folder))
    throw ResourceError("cannot list '" + folder.string() + "': " + error.message());
  std::sort(names.begin(), names.end());
  return names;
}

/// Every checkpoint folder by rising step, whatever its state.
std::vector<std::pair<int64_t, std::string>> step_folders(const fs::path& folder) {
  std::vector<std::pair<int64_t, std::string>> found;
  for (const std::string& name : entries(folder))
    if (const auto step = step_of(name); step && name == folder_name(*step)) found.emplace_back(*step, name);
  std::sort(found.begin(), found.end());
  return found;
}

void rename_or_throw(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error)
    throw ResourceError("cannot rename '" + from.string() + "' to '" + to.filename().string() +
                        "': " + error.message());
}

}  // namespace

std::string folder_name(int64_t step) { return fmt::format("step-{:08d}", step); }

Store::Store(fs::path folder, Options options) : folder_(std::move(folder)), options_(options) {
  require(options_.keep_last >= 1 && options_.keep_best >= 0, "a store keeps at least the last checkpoint");
}

void Store::recover() {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) throw ResourceError("cannot create '" + folder_.string() + "': " + error.message());
  for (const std::string& name : entries(folder_)) {
    if (starts_with(name, kReplaced)) {
      const std::string original = name.substr(kReplaced.size(), name.rfind('-') - kReplaced.size());
      if (step_of(original) && !path_exists(folder_ / original)) {
        rename_or_throw(folder_ / name, folder_ / original);
      } else {
        remove(name);
      }
    } else if (starts_with(name, kTemporary) || (is_half_written(name) && !is_folder(folder_ / name))) {
      remove(name);
    }
  }
  recovered_ = true;
  publish({});
}

fs::path Store::save(const Contents& contents, const SaveOptions& options) {
  if (!recovered_) recover();
  const std::string name = folder_name(contents.step);
  const fs::path temporary = folder_ / with_pid(kTemporary, name);
  try {
    fs::remove_all(temporary);
    fs::create_directory(temporary);
    fault_point("checkpoint.start");
    Note note;
    note.score = options.score;
    note.higher_is_better = options_.higher_is_better;
    note.keep_forever = options.keep_forever;
    note.weights_only = options.weights_only;
    write(temporary, contents, note);
    commit(temporary, name);
  } catch (const std::exception& error) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);  // gives the space back; nothing older was touched
    if (dynamic_cast<const fs::filesystem_error*>(&error))
      throw ResourceError(std::string("cannot save a checkpoint: ") + error.what());
    throw;
  }
  const auto obsolete = superseded(contents.step, options.also_keep);
  publish(obsolete);
  for (const std::string& old : obsolete) {
    fault_point("checkpoint.before_delete");
    remove(old);
  }
  return folder_ / name;
}

/// A folder cannot be replaced by one rename. Where a checkpoint of this step exists it steps aside first;
/// recover() brings it back should the process die in between.
void Store::commit(const fs::path& temporary, const std::string& name) {
  const fs::path target = folder_ / name;
  const std::string replaced = with_pid(kReplaced, name);
  const bool replaces = path_exists(target);
  fault_point("checkpoint.before_rename");
  if (replaces) {
    remove(replaced);
    rename_or_throw(target, folder_ / replaced);
    fault_point("checkpoint.set_aside");
  }
  try {
    rename_or_throw(temporary, target);
  } catch (...) {
    if (replaces) rename_or_throw(folder_ / replaced, target);
    throw;
  }
  fault_point("checkpoint.after_rename");
  sync_folder(folder_);
  if (replaces) remove(replaced);
}

std::vector<Store::Listed> Store::list() const {
  std::vector<Listed> listed;
  for (const auto& [step, name] : step_folders(folder_)) {
    try {
      listed.push_back({name, read_note(folder_ / name)});
    } catch (const CheckpointError&) {  // reported where it matters: by newest_good
    }
  }
  return listed;
}

std::vector<Store::Listed> Store::ranked(std::vector<Listed> all) const {
  std::erase_if(all, [](const Listed& item) { return !item.note.score.has_value(); });
  std::stable_sort(all.begin(), all.end(), [](const Listed& a, const Listed& b) {
    return b.note.higher_is_better ? *a.note.score > *b.note.score : *a.note.score < *b.note.score;
  });
  return all;
}

std::vector<std::string> Store::superseded(int64_t saved_step, std::optional<int64_t> also_keep) const {
  const std::vector<Listed> all = list();
  std::set<std::string> keep = {folder_name(saved_step)};
  if (also_keep) keep.insert(folder_name(*also_keep));
  const auto by_rank = ranked(all);
  for (size_t i = 0; i < by_rank.size() && i < static_cast<size_t>(options_.keep_best); ++i)
    keep.insert(by_rank[i].name);
  int64_t last_ones = 0;
  for (auto item = all.rbegin(); item != all.rend(); ++item) {
    const bool later = item->note.step > saved_step;
    const bool among_last = !later && !item->note.weights_only && last_ones++ < options_.keep_last;
    if (later || among_last || item->note.keep_forever) keep.insert(item->name);
  }
  std::vector<std::string> obsolete;
  for (const Listed& item : all)
    if (!keep.contains(item.name)) obsolete.push_back(item.name);
  return obsolete;
}

/// Index and links, from the folders, as if those in `without` were gone already. They are a convenience: a
/// failure warns and does not undo the save.
void Store::publish(const std::vector<std::string>& without) const {
  auto all = list();
  std::erase_if(
      all, [&](const Listed& item) { return std::find(without.begin(), without.end(), item.name) != without.end(); });
  const auto by_rank = ranked(all);
  json index = {
      {"last", all.empty() ? json() : json(all.back().name)}, {"best", json::array()}, {"all", json::array()}};
  for (size_t i = 0; i < by_rank.size() && i < static_cast<size_t>(options_.keep_best); ++i)
    index["best"].push_back(by_rank[i].name);
  for (const Listed& item : all) index["all"].push_back(item.name);
  const std::string text = index.dump(1) + "\n";
  try {
    const fs::path path = folder_ / "index.json";
    if (!path_exists(path) || read_file(path) != text) write_file_atomically(path, text);
  } catch (const Error& error) {
    log::warning("the checkpoints' index is out of date: {}", error.what());
  }
  fault_point("checkpoint.after_index");
  point_link("last", all.empty() ? std::nullopt : std::optional(all.back().name));
  point_link("best", index["best"].empty() ? std::nullopt : std::optional(index["best"][0].get<std::string>()));
}

void Store::point_link(const std::string& link, const std::optional<std::string>& target) const {
  const fs::path path = folder_ / link;
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (fs::exists(status) && !fs::is_symlink(status)) return;  // not ours
  if (!target) {
    fs::remove(path, error);
    return;
  }
  if (fs::is_symlink(status) && fs::read_symlink(path, error) == *target) return;
  const fs::path temporary = folder_ / with_pid(kTemporary, link);
  fs::remove(temporary, error);
  fs::create_directory_symlink(*target, temporary, error);
  fault_point("checkpoint.link");
  if (!error) fs::rename(temporary, path, error);
  if (error) log::debug("no link '{}': {}", path.string(), error.message());  // not every file system has them
}

/// Renames first: a folder that is half deleted must not look like a checkpoint.
void Store::remove(const std::string& name) const {
  std::error_code error;
  fs::path doomed = folder_ / name;
  if (!fs::exists(fs::symlink_status(doomed, error))) return;
  if (step_of(name)) {
    const fs::path aside = folder_ / with_pid(".tmp-drop-", name);
    fs::remove_all(aside, error);
    fs::rename(doomed, aside, error);
    if (!error) doomed = aside;
  }
  fault_point("checkpoint.deleting");
  if (!error) fs::remove_all(doomed, error);
  if (error) log::warning("cannot delete '{}': {}", doomed.string(), error.message());
}

std::optional<Store::Found> Store::newest_good() const {
  const auto folders = step_folders(folder_);
  for (auto step = folders.rbegin(); step != folders.rend(); ++step) {
    const fs::path folder = folder_ / step->second;
    try {
      if (!read_note(folder).weights_only) return Found{folder, checkpoint::load(folder)};
      log::warning("skipped: {} holds no state of the optimizer, so training cannot go on from there", folder.string());
    } catch (const CheckpointError& error) {
      log::warning("skipped: {}", error.what());
    }
  }
  return std::nullopt;
}

std::optional<fs::path> Store::best() const {
  const auto by_rank = ranked(list());
  if (by_rank.empty()) return std::nullopt;
  return folder_ / by_rank.front().name;
}

fs::path Store::at(const std::string& which) const {
  const auto known = names();
  if (which == "best")
    if (const auto found = best()) return *found;
  if ((which == "last" || which == "best") && !known.empty()) return folder_ / known.back();
  if (const auto step = step_of(which); step && path_exists(folder_ / folder_name(*step)))
    return folder_ / folder_name(*step);
  throw CheckpointError("no checkpoint '" + which + "' in '" + folder_.string() + "'",
                        known.empty() ? "there is none at all" : "there are: " + join(known, ", ") + ", last, best");
}

std::vector<std::string> Store::names() const {
  std::vector<std::string> names;
  for (const Listed& item : list()) names.push_back(item.name);
  return names;
}

void Store::set_aside_after(int64_t step) {
  for (const auto& [later, name] : step_folders(folder_)) {
    if (later <= step) continue;
    std::string aside = "set-aside-" + name;
    for (int n = 2; path_exists(folder_ / aside); ++n) aside = fmt::format("set-aside-{}-{}", name, n);
    rename_or_throw(folder_ / name, folder_ / aside);
    log::warning("{} is later than step {}, from which this run goes on; it is now {}", name, step,
                 (folder_ / aside).string());
  }
  publish({});
}

fs::path find(const fs::path& run_or_checkpoint, const std::string& which) {
  if (is_folder(run_or_checkpoint / "checkpoints")) return Store(run_or_checkpoint / "checkpoints").at(which);
  if (path_exists(run_or_checkpoint / "MANIFEST.json")) return run_or_checkpoint;
  if (path_exists(run_or_checkpoint / "index.json")) return Store(run_or_checkpoint).at(which);
  tensor::refuse_other_formats(run_or_checkpoint);
  if (!path_exists(run_or_checkpoint)) throw CheckpointError("'" + run_or_checkpoint.string() + "' does not exist");
  throw CheckpointError("'" + run_or_checkpoint.string() + "' is neither a run directory nor a checkpoint",
                        "a run directory holds the folder checkpoints/, a checkpoint the file MANIFEST.json");
}

}  // namespace sst::checkpoint
