#pragma once

#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/types.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace sst::tensor {

/// Counts the bytes of tensors on one kind of device that are made on this thread and in the backward passes it starts, while
/// the meter lives. What was there before does not count, nor does its end; start the meter before the model is made. Memory
/// that parallel loops or other threads take for themselves is not seen.
class TensorMemoryMeter {
 public:
  /// What a meter around this one sees meanwhile.
  enum class Outer { kSeesNothing, kCountsToo };

  explicit TensorMemoryMeter(c10::DeviceType device = c10::DeviceType::CPU, Outer outer = Outer::kSeesNothing);
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

}  // namespace sst::tensor
