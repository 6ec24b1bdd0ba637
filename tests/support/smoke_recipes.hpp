#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <vector>

namespace sst::testing {

/// recipes/smoke/FAMILY_METHOD.yaml: every method in every family, a second or two each.
inline constexpr std::array<const char*, 6> kSmokeFamilies = {"graph_nc", "graph_lp",   "lm",
                                                              "mt",       "mt_lorentz", "image"};

inline std::string smoke_recipe(const std::string& family, const std::string& method) {
  std::string path = SST_SOURCE_DIR "/recipes/smoke/";  // gcc 12 sees a write past the end in a sum of six
  return path.append(family).append("_").append(method).append(".yaml");
}

/// Every method with a recipe for language models; a test holds all of them to all families.
inline std::vector<std::string> smoke_methods() {
  const std::string before = "lm_";
  std::vector<std::string> methods;
  for (const auto& entry : std::filesystem::directory_iterator(SST_SOURCE_DIR "/recipes/smoke"))
    if (const std::string name = entry.path().stem().string(); name.rfind(before, 0) == 0)
      methods.push_back(name.substr(before.size()));
  std::sort(methods.begin(), methods.end());
  return methods;
}

}  // namespace sst::testing
