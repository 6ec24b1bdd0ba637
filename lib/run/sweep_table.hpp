#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "recipe/sweep.hpp"
#include "report/table.hpp"

/// The table of a sweep from whatever runs exist.
namespace sst::run {

/// Runs by what they were trained on: two runs are the same when their recipes are, up to what does not decide the result
/// (recipe::in_hash), their seed and when training ends. Their names and folders may differ.
class RunIndex {
 public:
  /// Takes up a run directory; one without a readable recipe is left out.
  void add(const std::filesystem::path& run_dir);
  /// Every run in the folders of `out_root`, <out_root>/NAME/RUN.
  void add_all(const std::filesystem::path& out_root);

  /// The run of this recipe, a finished one where there are several.
  std::optional<std::filesystem::path> find(const recipe::Recipe& recipe) const;
  /// The runs whose recipe names the printed table but which `points` does not hold, each with what it was trained
  /// otherwise on than the nearest point: "runs/x/3fa9c1d2-s1: train.max_steps is 2, not 40000".
  std::vector<std::string> strangers(const std::string& paper_table,
                                     const std::vector<recipe::SweepPoint>& points) const;

 private:
  struct Entry {
    std::filesystem::path folder;
    recipe::Recipe recipe;
  };
  std::map<std::string, std::vector<Entry>> entries_;  ///< by what they were trained on
};

/// Where the runs of these recipes lie: their out_root, each once.
std::vector<std::filesystem::path> out_roots(const std::vector<recipe::SweepPoint>& points);

/// One record for each point: of the run that `index` has, under the keys of the point; "missing" where there is none.
std::vector<report::RunRecord> records_of(const std::vector<recipe::SweepPoint>& points, const RunIndex& index);

/// How the table of `recipe`, a sweep or a list of recipes, is laid out. A list shows the printed values of the recipes that
/// name the same printed table, unless it gives its own.
report::TableSpec sweep_table_spec(const recipe::Recipe& recipe, const std::vector<recipe::SweepPoint>& points);

}  // namespace sst::run
