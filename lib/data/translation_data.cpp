#include "data/translation_data.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "data/language_data.hpp"

namespace sst::data {
namespace {

using Paths = recipe::OneOrMany<recipe::Path>;

std::pair<const Paths&, const Paths&> paths_of(const TranslationDataOptions& options, TranslationSplit split) {
  if (split == TranslationSplit::kTrain) return {options.train_src, options.train_tgt};
  if (split == TranslationSplit::kValid) return {options.valid_src, options.valid_tgt};
  return {options.test_src, options.test_tgt};
}

}  // namespace

const std::vector<std::pair<std::string, TranslationSplit>>& translation_splits() {
  static const std::vector<std::pair<std::string, TranslationSplit>> splits = {
      {"train", TranslationSplit::kTrain}, {"valid", TranslationSplit::kValid}, {"test", TranslationSplit::kTest}};
  return splits;
}

text::ParallelFiles parallel_files(const TranslationDataOptions& options, TranslationSplit split,
                                   const std::filesystem::path& data_root) {
  const auto& [source, target] = paths_of(options, split);
  return {.source = files_of(source, data_root), .target = files_of(target, data_root)};
}

bool has_parallel_files(const TranslationDataOptions& options, const std::filesystem::path& data_root) {
  const auto is_there = [&](const recipe::Path& path) {
    try {
      return !files_of({.values = {path}}, data_root).empty();
    } catch (const DataError&) {
      return false;
    }
  };
  for (const auto& [name, split] : translation_splits()) {
    const auto& [source, target] = paths_of(options, split);
    for (const Paths* side : {&source, &target})
      if (std::any_of(side->values.begin(), side->values.end(), is_there)) return true;
  }
  return false;
}

text::PairLength longest_pair(const TranslationDataOptions& options, int64_t positions) {
  return {.source = static_cast<int32_t>(std::min(options.max_src_len, positions)),
          .target = static_cast<int32_t>(std::min(options.max_tgt_len, positions - 1))};
}

text::ParallelOptions parallel_options(const TranslationDataOptions& options, TranslationSplit split,
                                       int64_t positions) {
  text::ParallelOptions how{.lowercase = options.lowercase, .threads = options.num_workers};
  if (split != TranslationSplit::kTrain) {
    how.longest = {.source = static_cast<int32_t>(positions), .target = static_cast<int32_t>(positions - 1)};
    return how;
  }
  const auto longest = longest_pair(options, positions);
  how.filter = {.max_source = longest.source,
                .max_target = longest.target,
                .too_long = options.too_long == "drop"       ? text::TooLong::kDrop
                            : options.too_long == "truncate" ? text::TooLong::kTruncate
                                                             : text::TooLong::kError,
                .max_ratio = options.max_length_ratio};
  return how;
}

std::vector<Problem> check_translation_options(const TranslationDataOptions& options) {
  std::vector<Problem> problems;
  for (const auto& [name, split] : translation_splits()) {
    const auto& [source, target] = paths_of(options, split);
    if (source.values.size() != target.values.size())
      problems.push_back({"data." + name, "E-files",
                          fmt::format("'data.{0}.src' names {1} files and 'data.{0}.tgt' {2}", name,
                                      source.values.size(), target.values.size()),
                          "name the two languages of each corpus at the same place of their lists"});
    for (const auto& [other_name, other] : translation_splits()) {
      if (other >= split) break;
      for (const recipe::Path& path : source.values)
        for (const recipe::Path& same : paths_of(options, other).first.values)
          if (path == same)
            problems.push_back({"data." + name, "E-same-file",
                                fmt::format("'{}' is a file of data.{} and of data.{}", path.text, other_name, name),
                                "a model is not to be measured on what it was trained on"});
    }
  }
  return problems;
}

}  // namespace sst::data
