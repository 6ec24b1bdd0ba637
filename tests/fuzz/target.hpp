#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "core/error.hpp"

/// What the targets share. A target gives bytes to one reader, which may refuse them with an error of ours that says
/// something, and must do nothing else: no crash, no other exception, no hang, no gigabyte.
namespace sst::fuzz {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A folder in memory, of this process, for readers that read files.
inline const std::filesystem::path& folder() {
  // Never destroyed, since it is used at exit.
  static const auto* const made = [] {
    const bool has_shm = std::filesystem::is_directory("/dev/shm");
    const auto* path = new std::filesystem::path(std::filesystem::path(has_shm ? "/dev/shm" : "/tmp") /
                                                 ("sst-fuzz-" + std::to_string(::getpid())));
    std::filesystem::create_directories(*path);
    std::atexit([] {
      std::error_code ignored;
      std::filesystem::remove_all(folder(), ignored);
    });
    return path;
  }();
  return *made;
}

/// The bytes as a file of this name there.
inline std::filesystem::path file_of(std::string_view bytes, const std::string& name) {
  const auto path = folder() / name;
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path;
}

/// Runs a reader; what it refuses has a message.
template <class Read>
void expect_refusal_or_sense(const Read& read) {
  try {
    read();
  } catch (const Error& error) {
    if (std::string_view(error.what()).empty()) std::abort();
  }
}

}  // namespace sst::fuzz
