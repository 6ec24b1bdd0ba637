#include <fmt/core.h>

#include <filesystem>

#include "checkpoint/store.hpp"
#include "core/text.hpp"
#include "run/snapshot.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

namespace fs = std::filesystem;

/// The checkpoints that the words name: each by itself, or the newest `last` of one run.
std::vector<fs::path> chosen_checkpoints(const std::vector<std::string>& paths, int64_t last) {
  std::vector<fs::path> folders;
  if (last == 0) {
    for (const std::string& path : paths) folders.push_back(checkpoint::find(path, "last"));
    return folders;
  }
  if (paths.size() != 1) throw UserError("--last takes the checkpoints of one run", "name the run directory alone");
  const fs::path newest = checkpoint::find(paths.front(), "last");  // says what is wrong with a path that is no run
  if (fs::equivalent(newest, paths.front()))
    throw UserError("'" + paths.front() + "' is one checkpoint, but --last takes those of a run",
                    "name the run directory, or the checkpoints one by one without --last");
  for (const auto& entry : fs::directory_iterator(newest.parent_path()))
    if (starts_with(entry.path().filename().string(), "step-")) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  if (static_cast<int64_t>(folders.size()) < last)
    throw UserError(fmt::format("'{}' has {} checkpoints, not {}", paths.front(), folders.size(), last),
                    "train with a larger checkpoint.keep_last");
  folders.erase(folders.begin(), folders.end() - static_cast<std::ptrdiff_t>(last));
  return folders;
}

}  // namespace

Action add_average(CLI::App& command) {
  struct Options {
    std::vector<std::string> paths;
    std::string out;
    int64_t last = 0;
  };
  const auto options = std::make_shared<Options>();
  command.description("the mean of the weights of several checkpoints, as a checkpoint");
  command.add_option("path", options->paths, "checkpoints, or a run directory with --last")
      ->required()
      ->type_name("CKPT");
  command.add_option("--last", options->last, "the newest checkpoints of the run")->check(CLI::PositiveNumber);
  command.add_option("--out", options->out, "the new checkpoint")->required()->type_name("CKPT");
  examples(command,
           "  sst-train average runs/iwslt14/3fa9c1d2-s1 --last 5 --out averaged\n"
           "  sst-train translate averaged < test.en > test.hyp.de");
  return [options](const CommonFlags& common) {
    require_new_folder(options->out);
    const auto folders = chosen_checkpoints(options->paths, options->last);
    const auto mean = run::mean_of(folders);
    fs::create_directories(options->out);
    checkpoint::Note note;
    note.weights_only = true;
    checkpoint::write(options->out, mean, note);
    if (!common.quiet) fmt::print("{}: the mean of {} checkpoints\n", options->out, folders.size());
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
