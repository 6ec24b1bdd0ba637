#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
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

/// A new file written in pieces, hashed on the way and flushed to disk at the end, so that nothing large is
/// held twice. The digest is of the bytes meant, not of what the disk made of them.
class SyncedFile {
 public:
  /// Creates or truncates. Throws ResourceError with path and reason, as all verbs do.
  explicit SyncedFile(std::filesystem::path path);
  SyncedFile(const SyncedFile&) = delete;
  SyncedFile& operator=(const SyncedFile&) = delete;
  ~SyncedFile();  ///< closes; what was not finished stays on disk, cut off

  void write(std::string_view bytes);
  FileDigest finish();  ///< flushes to disk, closes, and checks that the file has all its bytes

 private:
  std::filesystem::path path_;
  int descriptor_;
  uint64_t bytes_ = 0;
  Sha256 digest_;
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
