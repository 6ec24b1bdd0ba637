#pragma once

#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sst {

/// SHA-256 of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  std::string hex();  ///< 64 lower-case digits; ends the computation

 private:
  std::shared_ptr<void> context_;
};

/// What identifies a file's content.
struct FileDigest {
  uint64_t bytes = 0;
  std::string sha256;
  bool operator==(const FileDigest&) const = default;
};

/// A new file written in pieces, hashed on the way and flushed to disk at the end. The pieces are gathered in blocks, and
/// while one block fills, the one before it is hashed and written: a large file takes as long as the slowest of the three.
/// The digest is of the bytes meant, not of what the disk made of them.
class SyncedFile {
 public:
  /// Whether the system's cache is to remember the file. A checkpoint is written often, mostly never read, and as large as
  /// the memory: passing the cache by is faster and leaves the data there that training reads. File systems that can't do
  /// that write as always.
  enum class Cache { kUsed, kPassedBy };

  /// Creates or truncates. Throws ResourceError with path and reason, as all verbs do; write() may do so one block late.
  explicit SyncedFile(std::filesystem::path path, Cache cache = Cache::kUsed);
  SyncedFile(const SyncedFile&) = delete;
  SyncedFile& operator=(const SyncedFile&) = delete;
  ~SyncedFile();  ///< closes; what was not finished stays on disk, cut off

  void write(std::string_view bytes);
  FileDigest finish();  ///< flushes to disk, closes, and checks that the file has all its bytes

 private:
  struct Freed {
    void operator()(char* block) const;
  };
  using Block = std::unique_ptr<char[], Freed>;

  void hand_over();                        ///< the full block, to be hashed and written beside the next
  void put(std::string_view bytes) const;  ///< into the file

  std::filesystem::path path_;
  Cache cache_;
  int descriptor_;
  uint64_t bytes_ = 0;
  Sha256 digest_;
  Block filling_, leaving_;
  size_t filled_ = 0;
  std::future<void> left_;  ///< ready when `leaving_` is free again
};

/// A file of which several threads read parts.
class FileReader {
 public:
  /// Throws DataError with path and reason, as read() does.
  explicit FileReader(std::filesystem::path path);
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  ~FileReader();

  void read(uint64_t position, std::span<char> into) const;  ///< fills it, or throws

 private:
  std::filesystem::path path_;
  int descriptor_;
};

/// Whether there is something at the path. Nothing is thrown where that can't be told (a name too long, a folder not to be
/// read): false, and whoever then opens it says why.
bool path_exists(const std::filesystem::path& path);
bool is_folder(const std::filesystem::path& path);  ///< the same of folders
/// Where a wrong "no" would lose something. Throws ResourceError with path and reason where it can't be told.
bool path_surely_exists(const std::filesystem::path& path);

/// The bytes of a file. Throws DataError with path and reason.
std::string read_file(const std::filesystem::path& path);

/// Writes beside the target, flushes to disk, renames over it, flushes the folder: a reader sees the old or
/// the new file, whole. Throws ResourceError with path and reason.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// Removes what killed processes left of files written atomically, in the folder and below it; those of living ones stay.
void remove_half_written(const std::filesystem::path& folder);
bool is_half_written(const std::filesystem::path& file);  ///< by its name

/// Writes and flushes to disk. Throws ResourceError with path and reason.
FileDigest write_file_synced(const std::filesystem::path& path, std::string_view bytes);

/// Flushes a folder's entries to disk, so that a rename in it survives a power cut.
void sync_folder(const std::filesystem::path& folder);

std::string sha256_hex(std::string_view bytes);

/// Streams the file; throws DataError with path and reason.
std::string sha256_of_file(const std::filesystem::path& path);
FileDigest digest_of_file(const std::filesystem::path& path);

}  // namespace sst
