#include "tensor/memory_meter.hpp"

#include <c10/core/Allocator.h>

namespace sst::tensor {

/// LibTorch reports every allocation to whoever sits in the profiler's place of the thread's debug info.
class TensorMemoryMeter::Reporter final : public c10::MemoryReportingInfoBase {
 public:
  Reporter(c10::DeviceType device, c10::MemoryReportingInfoBase* outer) : device_(device), outer_(outer) {}
  void reportMemoryUsage(void* pointer, int64_t bytes, size_t total_allocated, size_t total_reserved,
                         c10::Device device) override {
    if (outer_ != nullptr) outer_->reportMemoryUsage(pointer, bytes, total_allocated, total_reserved, device);
    if (device.type() != device_) return;
    const int64_t live = live_ += bytes;
    int64_t peak = peak_;
    while (live > peak && !peak_.compare_exchange_weak(peak, live)) {
    }
  }
  bool memoryProfilingEnabled() const override { return true; }

  std::atomic<int64_t> live_ = 0, peak_ = 0;

 private:
  c10::DeviceType device_;
  c10::MemoryReportingInfoBase* outer_;  ///< lives longer; may be none
};

namespace {

c10::MemoryReportingInfoBase* meter_around() {
  return static_cast<c10::MemoryReportingInfoBase*>(c10::ThreadLocalDebugInfo::get(c10::DebugInfoKind::PROFILER_STATE));
}

}  // namespace

TensorMemoryMeter::TensorMemoryMeter(c10::DeviceType device, Outer outer)
    : reporter_(std::make_shared<Reporter>(device, outer == Outer::kCountsToo ? meter_around() : nullptr)),
      guard_(std::make_unique<c10::DebugInfoGuard>(c10::DebugInfoKind::PROFILER_STATE, reporter_)) {}

TensorMemoryMeter::~TensorMemoryMeter() = default;

int64_t TensorMemoryMeter::live_bytes() const { return reporter_->live_; }
int64_t TensorMemoryMeter::peak_bytes() const { return reporter_->peak_; }

}  // namespace sst::tensor
