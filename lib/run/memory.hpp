#pragma once

#include <cstdint>
#include <filesystem>

namespace sst::run {

/// Peak resident memory of this process, bytes; 0 where the system does not tell.
int64_t peak_resident_bytes();

/// What this user may still write to the disk that holds `path`, bytes; the nearest folder that exists answers for one
/// that does not. 0 where the system does not tell.
int64_t free_disk_bytes(const std::filesystem::path& path);

}  // namespace sst::run
