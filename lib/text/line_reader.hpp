#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.hpp"
#include "text/archive_source.hpp"
#include "text/byte_source.hpp"

namespace sst::text {

/// The name that stands for standard input.
inline constexpr std::string_view kStandardInput = "-";

/// The lines of a text file, plain or compressed by gzip, xz or zstd (told by the end of its name), or of standard
/// input. A line ends at a newline and nothing else; a carriage return before it goes too.
class LineReader {
 public:
  /// Throws DataError with path and reason: not there, a folder, a tar archive.
  explicit LineReader(std::filesystem::path path);

  /// The next line without its end; false after the last one.
  ///   throws    DataError with file, line and byte where it is not UTF-8
  bool next(std::string& line);

  int64_t line() const { return line_; }  ///< number of the line that next() gave, from 1
  const std::filesystem::path& path() const { return path_; }
  std::string where() const;  ///< "FILE:3"
  /// Reads what is left; of the file as it lies on disk.
  FileDigest finish() { return file_.finish(); }

 private:
  std::filesystem::path path_;
  FileSource file_;
  std::unique_ptr<ArchiveSource> unpacked_;
  std::string_view block_;
  int64_t line_ = 0;
};

/// Gives the next line, or false after the last one.
using NextLine = std::function<bool(std::string& line)>;

/// The lines of files, one file after the other. It throws what LineReader throws.
NextLine lines_of(std::vector<std::filesystem::path> files);

/// All lines of a file. Throws what LineReader throws.
std::vector<std::string> read_lines(const std::filesystem::path& path);

}  // namespace sst::text
