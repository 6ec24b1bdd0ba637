#pragma once

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

namespace sst::testing {

/// The folder of reference vectors and data sets that may lie beside the checkout (or where $SST_SHARED points).
/// Tests that need it print one line and return where it is absent.
inline std::optional<std::filesystem::path> shared_file(const std::string& relative) {
  const char* from_environment = std::getenv("SST_SHARED");
  const std::filesystem::path root = from_environment ? std::filesystem::path(from_environment)
                                                      : std::filesystem::path(SST_SOURCE_DIR) / ".." / "shared";
  const auto path = root / relative;
  if (std::filesystem::exists(path)) return path;
  std::cout << "skipped: " << relative << " is not in the shared folder (" << root.string() << ")\n";
  return std::nullopt;
}

}  // namespace sst::testing
