#include "tensor/device_memory.hpp"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/DeviceGuard.h>

#include "core/memory.hpp"

namespace sst::tensor {
namespace {

c10::DeviceAllocator& allocator_of(torch::Device gpu) { return *c10::getDeviceAllocator(gpu.type()); }

constexpr auto kAggregate = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);

}  // namespace

int64_t free_memory_bytes(torch::Device device) {
  if (device.is_cpu()) return available_memory_bytes();
  auto& allocator = allocator_of(device);
  if (!allocator.initialized()) torch::zeros({1}, device);  // starts the device
  const auto stats = allocator.getDeviceStats(device.index());
  return static_cast<int64_t>(allocator.getMemoryInfo(device.index()).first) +
         stats.reserved_bytes[kAggregate].current - stats.allocated_bytes[kAggregate].current;
}

int64_t peak_reserved_bytes(torch::Device gpu) {
  auto& allocator = allocator_of(gpu);
  return allocator.initialized() ? allocator.getDeviceStats(gpu.index()).reserved_bytes[kAggregate].peak : 0;
}

torch::Tensor ready_to_send(torch::Tensor tensor, torch::Device device) {
  if (!device.is_cuda()) return tensor;
  const c10::DeviceGuard guard(device);  // a thread of its own begins with GPU 0, and would take memory there
  return tensor.pin_memory();
}

torch::Tensor send_to(const torch::Tensor& tensor, torch::Device device) {
  return tensor.to(device, tensor.scalar_type(), /*non_blocking=*/true);
}

}  // namespace sst::tensor
