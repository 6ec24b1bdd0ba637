#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "run/progress_line.hpp"
#include "tasks/task.hpp"

namespace sst::run {

/// What an evaluation has translated, in eval/step-00012000 of a run directory; nothing where no text was decoded. Files
/// of an evaluation that is made again are replaced.
///     valid.hyp.txt       the translations, one a line, in the order of the split
///     valid.scores.json   {"step", "split", "examples", "metrics", "signatures"}
///     samples.txt         what samples_text() says of valid; of another split test.samples.txt
///   throws    ResourceError where a file cannot be written
void write_evaluation(const std::filesystem::path& run_dir, const Evaluation& evaluation,
                      const tasks::Evaluated& result);

/// "valid 17\n  source      …\n  reference   …\n  translated  …\n" for each sample; "" where there are none.
std::string samples_text(const std::string& split, const tasks::Evaluated& result);

}  // namespace sst::run
