#include "run/evaluation_files.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "checkpoint/store.hpp"
#include "core/error.hpp"
#include "core/file.hpp"

namespace sst::run {

void write_evaluation(const std::filesystem::path& run_dir, const Evaluation& evaluation,
                      const tasks::Evaluated& result) {
  if (result.translations.empty()) return;
  const auto folder = run_dir / "eval" / checkpoint::folder_name(evaluation.step);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw ResourceError("cannot create '" + folder.string() + "': " + error.message());
  std::string hypotheses;
  for (const auto& line : result.translations) hypotheses += line.hypothesis + "\n";
  write_file_atomically(folder / (evaluation.split + ".hyp.txt"), hypotheses);
  const nlohmann::ordered_json scores = {{"step", evaluation.step},
                                         {"split", evaluation.split},
                                         {"examples", evaluation.examples},
                                         {"metrics", evaluation.metrics},
                                         {"signatures", evaluation.signatures}};
  write_file_atomically(folder / (evaluation.split + ".scores.json"), scores.dump(2) + "\n");
  const std::string samples = evaluation.split == "valid" ? "samples.txt" : evaluation.split + ".samples.txt";
  if (!result.samples.empty()) write_file_atomically(folder / samples, samples_text(evaluation.split, result));
}

std::string samples_text(const std::string& split, const tasks::Evaluated& result) {
  std::string text;
  for (const size_t i : result.samples) {
    const auto& [source, reference, hypothesis] = result.translations[i];
    text += fmt::format("{} {}\n  source      {}\n  reference   {}\n  translated  {}\n", split, i + 1, source,
                        reference, hypothesis);
  }
  return text;
}

}  // namespace sst::run
