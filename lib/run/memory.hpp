#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>

namespace sst::run {

/// Peak resident memory of this process, bytes; 0 where the system does not tell.
int64_t peak_resident_bytes();

/// Peak memory of this process on the device: resident on the CPU, taken by LibTorch's allocator on a GPU.
int64_t peak_memory_bytes(torch::Device device);

/// What this user may still write to the disk that holds `path`, bytes; the nearest folder that exists answers for one
/// that does not. 0 where the system does not tell.
int64_t free_disk_bytes(const std::filesystem::path& path);

}  // namespace sst::run
