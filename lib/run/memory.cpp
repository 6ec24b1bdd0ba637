#include "run/memory.hpp"

#include <c10/core/Allocator.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace sst::run {

int64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6)) * 1024;
  return 0;
}

int64_t free_disk_bytes(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::absolute(path, error);
  while (!std::filesystem::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  const auto space = std::filesystem::space(folder, error);
  return error ? 0 : static_cast<int64_t>(space.available);
}

/// LibTorch reports every allocation to whoever sits in the profiler's place of the thread's debug info.
class TensorMemoryMeter::Reporter final : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void* /*ptr*/, int64_t bytes, size_t /*total_allocated*/, size_t /*total_reserved*/,
                         c10::Device device) override {
    if (!device.is_cpu()) return;
    const int64_t live = live_ += bytes;
    int64_t peak = peak_;
    while (live > peak && !peak_.compare_exchange_weak(peak, live)) {
    }
  }
  bool memoryProfilingEnabled() const override { return true; }

  std::atomic<int64_t> live_ = 0, peak_ = 0;
};

TensorMemoryMeter::TensorMemoryMeter()
    : reporter_(std::make_shared<Reporter>()),
      guard_(std::make_unique<c10::DebugInfoGuard>(c10::DebugInfoKind::PROFILER_STATE, reporter_)) {}

TensorMemoryMeter::~TensorMemoryMeter() = default;

int64_t TensorMemoryMeter::live_bytes() const { return reporter_->live_; }
int64_t TensorMemoryMeter::peak_bytes() const { return reporter_->peak_; }

}  // namespace sst::run
