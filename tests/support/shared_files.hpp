#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/support/skip.hpp"

namespace sst::testing {

/// The folder of reference vectors and data sets that may lie beside the checkout (or where $SST_SHARED points).
/// Tests that need it are skipped where it is absent.
inline std::optional<std::filesystem::path> shared_file(const std::string& relative) {
  const char* from_environment = std::getenv("SST_SHARED");
  const std::filesystem::path root = from_environment ? std::filesystem::path(from_environment)
                                                      : std::filesystem::path(SST_SOURCE_DIR) / ".." / "shared";
  const auto path = root / relative;
  if (std::filesystem::exists(path)) return path;
  skip(relative + " is not in the shared folder (" + root.string() + ")");
  return std::nullopt;
}

}  // namespace sst::testing
