#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.hpp"
#include "text/archive_source.hpp"
#include "text/byte_source.hpp"

namespace sst::text {

/// The line that stands between the documents of a plain text file. The newline before it belongs to it.
inline constexpr std::string_view kDocumentSeparator = "<|endoftext|>";

enum class CorpusFormat {
  kText,   ///< plain text; a file without separators is one document, to its last byte
  kJsonl,  ///< one JSON object a line
};

struct CorpusOptions {
  CorpusFormat format = CorpusFormat::kText;
  std::string text_key = "text";                  ///< of the JSON objects
  int64_t largest_document = int64_t{128} << 20;  ///< bytes; keeps memory bounded whatever the corpus
};

/// The files that paths and globs (`*`, `?`, `[…]`) name, relative ones below `root`: in the order of the patterns, those
/// of one pattern sorted by their bytes.
///   throws    DataError when a pattern matches nothing, a path is a folder, or a file would be read twice
std::vector<std::filesystem::path> corpus_files(const std::vector<std::string>& patterns,
                                                const std::filesystem::path& root);

/// One document as it lies in its file: text, or the line of JSON that holds it.
struct RawDocument {
  std::string bytes;
  std::shared_ptr<const std::string> source;  ///< file, and members of archives: "owt.tar.xz: a_data.xz: 7.txt"
  int64_t line = 1;                           ///< where it begins, in the unpacked file
  int64_t offset = 0;                         ///< the same in bytes

  /// "SOURCE, line 3 (byte 120)", for the place `position` bytes into the document.
  std::string where(size_t position = 0) const;
};

/// The text of a document.
///   throws    DataError with file, line, byte offset and reason: malformed JSON, no such key, no UTF-8
std::string document_text(RawDocument document, const CorpusOptions& options);

/// Streams the documents of files in order: plain or compressed by gzip, xz or zstd, in tar archives, and those inside
/// one another, told by the end of their names. Of an archive, the members that end in .txt (kText), .json or .jsonl
/// (kJsonl) are read, packed or not; others are counted as skipped. Memory is bounded by the largest document.
class CorpusReader {
 public:
  /// Throws DataError for a file that is missing, empty, or of a kind that cannot be read.
  CorpusReader(std::vector<std::filesystem::path> files, CorpusOptions options);

  /// The next document; false after the last one.
  ///   throws    DataError with file, member, line, byte offset and reason
  bool next(RawDocument& document);

  int64_t bytes_read() const;                                          ///< of the files as they lie on disk
  int64_t total_bytes() const { return total_bytes_; }                 ///< the same, to the end
  int64_t skipped_members() const { return skipped_; }                 ///< of archives
  const std::vector<FileDigest>& digests() const { return digests_; }  ///< of the files read to their end, in order

 private:
  bool open_leaf();
  bool open_file();
  bool open_member();
  void close_file();
  void begin_leaf(ByteSource& bytes);
  bool wants(std::string_view member) const;
  std::string place() const;
  bool append_line(std::string& to);
  bool read_text(RawDocument& document);
  bool read_json_line(RawDocument& document);

  std::vector<std::filesystem::path> files_;
  CorpusOptions options_;
  int64_t total_bytes_ = 0, bytes_before_ = 0, skipped_ = 0;
  std::vector<FileDigest> digests_;

  std::unique_ptr<FileSource> file_;                      ///< the one being read
  std::vector<std::unique_ptr<ArchiveSource>> archives_;  ///< in it, outermost first
  int64_t documents_of_file_ = 0;

  ByteSource* leaf_ = nullptr;  ///< where documents come from: file_ or the last of archives_
  std::shared_ptr<const std::string> leaf_name_;
  std::string_view block_;
  int64_t line_ = 1, offset_ = 0, documents_of_leaf_ = 0;
};

}  // namespace sst::text
