#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace sst {

/// The bytes of a file. Throws DataError with path and reason.
std::string read_file(const std::filesystem::path& path);

/// Writes beside the target, flushes to disk, renames over it, flushes the folder: a reader sees the old or the new
/// file, whole. Throws ResourceError with path and reason.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// Writes and flushes to disk. Throws ResourceError with path and reason.
void write_file_synced(const std::filesystem::path& path, std::string_view bytes);

/// Flushes a folder's entries to disk, so that a rename in it survives a power cut.
void sync_folder(const std::filesystem::path& folder);

std::string sha256_hex(std::string_view bytes);

/// Streams the file; throws DataError with path and reason.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace sst
