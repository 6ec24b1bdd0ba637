#pragma once

#include <string>
#include <string_view>

// Defined in a source that the build writes (cmake/Generated.cmake), in the small library sst_version.
namespace sst {

/// The project's version, for example "0.1.0".
std::string_view version_number();

/// The short commit this was built from, "-dirty" appended where the checkout had changes: "84f8ba4-dirty".
/// Empty when it was not built in a checkout.
std::string_view version_commit();

/// "0.1.0 (84f8ba4)".
inline std::string version_text() {
  std::string text(version_number());
  if (!version_commit().empty()) text += " (" + std::string(version_commit()) + ")";
  return text;
}

}  // namespace sst
