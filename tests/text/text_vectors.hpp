#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"
#include "tests/support/shared_files.hpp"
#include "text/tokenizer.hpp"

namespace sst::testing {

using Ids = std::vector<int32_t>;

inline std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

inline std::optional<nlohmann::json> text_vectors(const std::string& file) {
  const auto path = shared_file("spec/" + file);
  if (!path) return std::nullopt;
  return nlohmann::json::parse(std::ifstream(*path));
}

inline Ids encoded(const text::Tokenizer& tokenizer, std::string_view text) {
  Ids ids;
  tokenizer.encode(text, ids);
  return ids;
}

/// The message of the DataError that `run` throws, or "nothing thrown".
template <class Run>
std::string data_error(const Run& run) {
  try {
    run();
  } catch (const DataError& error) {
    return error.what();
  }
  return "nothing thrown";
}

inline void write_text(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::create_directories(path.parent_path());
  write_file_synced(path, bytes);
}

}  // namespace sst::testing
