#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/file.hpp"

namespace sst::text {

/// Bytes that come in blocks, forward only.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// The next block, valid until the next call; empty at the end. Throws DataError with name and reason.
  virtual std::string_view read() = 0;
};

/// A file on disk, hashed on the way.
class FileSource : public ByteSource {
 public:
  /// Throws DataError with path and reason, as all verbs do.
  explicit FileSource(std::filesystem::path path);
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  ~FileSource() override;

  std::string_view read() override;
  int64_t bytes_read() const { return static_cast<int64_t>(bytes_); }
  /// Reads what is left and ends the hash.
  FileDigest finish();

 private:
  std::filesystem::path path_;
  int descriptor_;
  std::string buffer_;
  uint64_t bytes_ = 0;
  Sha256 digest_;
};

}  // namespace sst::text
