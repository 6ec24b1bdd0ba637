#include "run/device.hpp"

#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <fmt/core.h>
#include <torch/cuda.h>

#include "core/error.hpp"
#include "dist/launch.hpp"

namespace sst::run {

torch::Device device_among(const std::string& name, int64_t gpus, int64_t local_rank) {
  if (name == "cpu" || (name == "auto" && gpus == 0)) return torch::kCPU;
  if (gpus == 0)
    throw UserError("runtime.device is '" + name + "', but no CUDA device was found",
                    "use runtime.device=cpu, or run `sst-train doctor`");
  if (name == "auto" || name == "cuda") return {torch::kCUDA, static_cast<c10::DeviceIndex>(local_rank % gpus)};
  const torch::Device device(name);
  if (device.index() >= gpus)
    throw UserError(fmt::format("runtime.device is '{}', but there are {} CUDA devices", name, gpus));
  return device;
}

torch::Device resolve_device(const std::string& name) {
  if (name == "cpu") return torch::kCPU;
  const auto gpus = static_cast<int64_t>(torch::cuda::device_count());
  const torch::Device device = device_among(name, gpus, gpus > 1 ? dist::detect_launch().local_rank : 0);
  if (device.is_cuda()) c10::impl::getDeviceGuardImpl(device.type())->setDevice(device);
  return device;
}

}  // namespace sst::run
