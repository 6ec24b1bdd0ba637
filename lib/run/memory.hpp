#pragma once

#include <c10/util/ThreadLocalDebugInfo.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace sst::run {

/// Peak resident memory of this process, bytes; 0 where the system does not tell.
int64_t peak_resident_bytes();

/// What this user may still write to the disk that holds `path`, bytes; the nearest folder that exists answers for one
/// that does not. 0 where the system does not tell.
int64_t free_disk_bytes(const std::filesystem::path& path);

/// Counts the bytes of CPU tensors that are made on this thread and in the backward passes it starts, while the meter
/// lives. What was there before does not count, nor does its end; start the meter before the model is made. Memory that
/// parallel loops or other threads take for themselves is not seen.
class TensorMemoryMeter {
 public:
  TensorMemoryMeter();
  ~TensorMemoryMeter();
  TensorMemoryMeter(const TensorMemoryMeter&) = delete;
  TensorMemoryMeter& operator=(const TensorMemoryMeter&) = delete;

  int64_t live_bytes() const;
  int64_t peak_bytes() const;

 private:
  class Reporter;
  std::shared_ptr<Reporter> reporter_;
  std::unique_ptr<c10::DebugInfoGuard> guard_;
};

}  // namespace sst::run
