#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "models/language_model_options.hpp"

namespace sst::models {

/// A `config.json` as read: values with their types checked.
class HfConfig {
 public:
  /// Throws DataError when the file is missing or is no JSON object.
  explicit HfConfig(std::filesystem::path file);

  /// The value under `key`; `fallback` where the key is absent or null.
  ///   throws  DataError naming file, key and value when it is of another type
  int64_t integer(const std::string& key, int64_t fallback) const;
  double number(const std::string& key, double fallback) const;
  bool boolean(const std::string& key, bool fallback) const;
  std::string text(const std::string& key, const std::string& fallback) const;
  /// A token id: null means none, of a list the first.
  std::optional<int64_t> token(const std::string& key, std::optional<int64_t> fallback) const;
  /// A size that has no default.
  int64_t required_integer(const std::string& key) const;
  /// The activation under our name.
  std::string activation(const std::string& key, const std::string& fallback) const;
  /// An object under `key`; an empty one where it is absent or null.
  nlohmann::json object(const std::string& key) const;

  /// Throws DataError unless the key is absent, null, or has this value: what the program does not compute.
  void expect(const std::string& key, const nlohmann::json& value) const;
  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;

 private:
  const nlohmann::json* find(const std::string& key) const;

  std::filesystem::path file_;
  nlohmann::json content_;
};

/// Our name of an activation in Hugging Face's words.
std::string hf_activation(const std::string& ours);

/// A token id as JSON: null where there is none or the embedding has no such row.
nlohmann::json hf_token(std::optional<int64_t> id, const LanguageModelConfig& config);

}  // namespace sst::models
