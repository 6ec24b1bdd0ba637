#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>

#include "tests/support/shared_files.hpp"

namespace sst::testing {

/// One case of the shared reference vectors, without LibTorch; nothing where the file is absent.
inline std::optional<nlohmann::json> reference_case(const std::string& name) {
  const auto file = shared_file("spec/hybonet_vectors.json");
  if (!file) return std::nullopt;
  static const auto document = nlohmann::json::parse(std::ifstream(*file));
  for (const auto& entry : document.at("cases"))
    if (entry.at("name") == name) return entry;
  throw std::runtime_error("the reference vectors have no case " + name);
}

}  // namespace sst::testing
