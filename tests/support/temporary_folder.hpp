#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>

namespace sst::testing {

/// A fresh empty folder, removed with everything in it at the end of the scope. In memory where the system
/// has /dev/shm, so that thousands of flushed writes cost no disk.
class TemporaryFolder {
 public:
  TemporaryFolder() : TemporaryFolder(in_memory()) {}
  explicit TemporaryFolder(const std::filesystem::path& root) {
    static std::atomic<int> count{0};
    path_ = root / ("sst-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

 private:
  static std::filesystem::path in_memory() {
    const std::filesystem::path memory = "/dev/shm";
    return ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
  }

  std::filesystem::path path_;
};

}  // namespace sst::testing
