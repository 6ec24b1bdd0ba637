#include "tasks/tokenizer_files.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/file.hpp"

namespace sst::tasks {

namespace fs = std::filesystem;

fs::path trained_tokenizer_place(const text::TokenizerOptions& options, const std::string& reading,
                                 const std::vector<fs::path>& files, const fs::path& data_root,
                                 const std::string& extension) {
  Sha256 digest;
  digest.update(fmt::format("{}\n{}\n{}\n{}\n{}\n", options.type, options.vocab_size.value_or(0), options.algorithm,
                            options.character_coverage, reading));
  for (const fs::path& file : files)
    digest.update(fmt::format("{}\n{}\n", file.filename().string(), fs::file_size(file)));
  return data_root / "prepared" / ("tokenizer-" + digest.hex().substr(0, 12) + extension);
}

text::TokenizerOptions with_model(text::TokenizerOptions options, const fs::path& path) {
  options.model = recipe::Path{fs::absolute(path).string()};
  return options;
}

void require_trained(const fs::path& path) {
  if (!path_exists(path))
    throw DataError("the tokenizer has not been trained: there is no '" + path.string() + "'",
                    "sst-train prepare RECIPE trains it");
}

std::string kept_tokenizer_name(const std::string& type) {
  if (type == "sentencepiece") return "tokenizer.model";
  if (type == "characters") return "characters.json";
  return type == "whitespace" ? "vocabulary.txt" : "";
}

std::string kept_sentence_tokenizer(const text::TokenizerOptions& options) {
  if (!options.joint) return "";
  return options.type == "sentencepiece" ? "joint.model" : "joint.vocab";
}

fs::path single_model_file(const fs::path& path) {
  if (!is_folder(path)) return path;
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.path().extension() == ".model") return entry.path();  // SentencePiece refused a folder with several
  return path;
}

}  // namespace sst::tasks
