#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/file.hpp"
#include "text/line_reader.hpp"

namespace sst::text {

/// Files of sentences, one a line; line i of source[k] belongs to line i of target[k].
struct ParallelFiles {
  std::vector<std::filesystem::path> source, target;
};

struct SentencePair {
  std::string source, target;
  std::string source_place, target_place;  ///< "train.de:17"
};

/// Streams the pairs of one or several corpora, in order.
class ParallelReader {
 public:
  /// Throws DataError for lists of different length, an empty list, and a file that is missing.
  explicit ParallelReader(ParallelFiles files);

  /// The next pair; false after the last one.
  ///   throws    DataError with file and line: numbers of lines that differ, malformed UTF-8, a file without lines
  bool next(SentencePair& pair);

  /// Of the files read to their end: source and target in turn.
  const std::vector<FileDigest>& digests() const { return digests_; }

 private:
  void close_files();

  ParallelFiles files_;
  size_t opened_ = 0;  ///< pairs of files
  std::unique_ptr<LineReader> source_, target_;
  std::vector<FileDigest> digests_;
};

}  // namespace sst::text
