#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"

namespace sst::checkpoint {

/// The folder `checkpoints/` of a run. A save appears whole or not at all: it is written into `.tmp-step-…`,
/// flushed, and renamed; only then is anything older deleted. So at every moment, a kill or a power cut
/// included, the newest good checkpoint can be loaded.
///
///     index.json   {"last": "step-00012000", "best": ["step-00011000"], "all": [...]}, for people and
///     scripts last, best   relative links, where the file system has them
///
/// The folders and their manifests are the truth; index and links are made from them.
class Store {
 public:
  struct Options {
    int64_t keep_last = 2;  ///< at least 1
    int64_t keep_best = 1;
    bool higher_is_better = true;
  };
  struct SaveOptions {
    /// checkpoint.best_metric of these very weights; absent or NaN: never the best.
    std::optional<double> score = {};
    bool keep_forever = false;
    bool weights_only = false;              ///< leaves the optimizer out; cannot be resumed from
    std::optional<int64_t> also_keep = {};  ///< a step whose checkpoint is not yet to be deleted
  };

  /// Touches nothing: evaluation reads a run that another process trains.
  explicit Store(std::filesystem::path folder) : Store(std::move(folder), Options{}) {}
  Store(std::filesystem::path folder, Options options);

  /// To be called once by the process that holds the run's lock, before it looks for a checkpoint: makes the
  /// folder, finishes or undoes what a killed process left half done, and brings index and links up to date.
  void recover();

  /// Commits a checkpoint and then deletes those it supersedes: kept are the `keep_last` newest up to this
  /// step, the `keep_best` best, those to keep forever, `also_keep`, and all of later steps. A checkpoint of the same
  /// step is replaced.
  ///   returns  its folder
  ///   throws   ResourceError when the disk does not take it; everything older is still there then
  std::filesystem::path save(const Contents& contents, const SaveOptions& options);
  std::filesystem::path save(const Contents& contents) { return save(contents, SaveOptions{}); }

  struct Found {
    std::filesystem::path folder;
    Contents contents;
  };
  /// The newest checkpoint that is whole and can be resumed from. Worse ones are skipped with a warning.
  std::optional<Found> newest_good() const;

  /// The folder of the best score by the manifests; of equal scores the earlier step.
  std::optional<std::filesystem::path> best() const;

  /// The folder of "last", "best" (the last one where no score is known) or "step-12000".
  ///   throws  CheckpointError saying what is there instead
  std::filesystem::path at(const std::string& which) const;

  /// Verifies and reads. Throws CheckpointError.
  Contents load(const std::string& which) const { return checkpoint::load(at(which)); }

  /// Names of the checkpoints with a sound manifest, by rising step.
  std::vector<std::string> names() const;

  /// For a run that goes on from `step` although later steps are there, bad ones or those of a past it
  /// leaves: renames them to set-aside-step-…, with a warning, so that they are neither resumed from nor
  /// lost.
  void set_aside_after(int64_t step);

 private:
  struct Listed {
    std::string name;
    Note note;
  };
  std::vector<Listed> list() const;                           ///< sound manifests, by rising step
  std::vector<Listed> ranked(std::vector<Listed> all) const;  ///< those with a score, best first
  void commit(const std::filesystem::path& temporary, const std::string& name);
  std::vector<std::string> superseded(int64_t saved_step, std::optional<int64_t> also_keep) const;
  void publish(const std::vector<std::string>& without) const;
  void point_link(const std::string& link, const std::optional<std::string>& target) const;
  void remove(const std::string& name) const;

  std::filesystem::path folder_;
  Options options_;
  bool recovered_ = false;
};

/// The checkpoint folder meant by RUN|CKPT on the command line: a checkpoint itself, or `which` of a run directory (or of
/// its folder checkpoints/): "best" (the last one where none is), "last", "step-12000".
///   throws  CheckpointError naming what was looked for, and what is there, in the hint; for .pt and its kin with the
///           way to convert
std::filesystem::path find(const std::filesystem::path& run_or_checkpoint, const std::string& which = "best");

/// "step-00012000".
std::string folder_name(int64_t step);

}  // namespace sst::checkpoint
