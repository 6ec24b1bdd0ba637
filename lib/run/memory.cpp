#include "run/memory.hpp"

#include <fstream>
#include <string>

#include "tensor/device_memory.hpp"

namespace sst::run {

int64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6)) * 1024;
  return 0;
}

int64_t peak_memory_bytes(torch::Device device) {
  return device.is_cpu() ? peak_resident_bytes() : tensor::peak_reserved_bytes(device);
}

int64_t free_disk_bytes(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::absolute(path, error);
  while (!std::filesystem::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  const auto space = std::filesystem::space(folder, error);
  return error ? 0 : static_cast<int64_t>(space.available);
}

}  // namespace sst::run
