#include "models/hf_config.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/file.hpp"

namespace sst::models {
namespace {

struct ActivationName {
  const char* ours;
  const char* theirs;
};

/// The first name of ours is what export writes.
constexpr ActivationName kActivationNames[] = {
    {"relu", "relu"},           {"gelu", "gelu"}, {"gelu_tanh", "gelu_new"}, {"gelu_tanh", "gelu_pytorch_tanh"},
    {"gelu_tanh", "gelu_fast"}, {"silu", "silu"}, {"silu", "swish"},
};

}  // namespace

HfConfig::HfConfig(std::filesystem::path file) : file_(std::move(file)) {
  content_ = nlohmann::json::parse(read_file(file_), nullptr, /*allow_exceptions=*/false);
  if (!content_.is_object()) throw DataError(fmt::format("'{}' is no JSON object", file_.string()));
}

const nlohmann::json* HfConfig::find(const std::string& key) const {
  const auto found = content_.find(key);
  return found == content_.end() || found->is_null() ? nullptr : &*found;
}

void HfConfig::refuse(const std::string& key, const std::string& expected) const {
  const auto* value = find(key);
  throw DataError(
      fmt::format("'{}': '{}' is {}, expected {}", file_.string(), key, value ? value->dump() : "missing", expected));
}

int64_t HfConfig::integer(const std::string& key, int64_t fallback) const {
  const auto* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_number_integer() || value->get<int64_t>() < 0) refuse(key, "a whole number");
  return value->get<int64_t>();
}

int64_t HfConfig::required_integer(const std::string& key) const {
  const int64_t value = integer(key, 0);
  if (value == 0) refuse(key, "a whole number above 0");
  return value;
}

double HfConfig::number(const std::string& key, double fallback) const {
  const auto* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_number()) refuse(key, "a number");
  return value->get<double>();
}

bool HfConfig::boolean(const std::string& key, bool fallback) const {
  const auto* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) refuse(key, "true or false");
  return value->get<bool>();
}

std::string HfConfig::text(const std::string& key, const std::string& fallback) const {
  const auto* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) refuse(key, "a word");
  return value->get<std::string>();
}

std::optional<int64_t> HfConfig::token(const std::string& key, std::optional<int64_t> fallback) const {
  const auto found = content_.find(key);
  if (found == content_.end()) return fallback;
  if (found->is_null()) return std::nullopt;
  const nlohmann::json& value = found->is_array() && !found->empty() ? found->front() : *found;
  if (!value.is_number_integer()) refuse(key, "a token id");
  return value.get<int64_t>();
}

std::string HfConfig::activation(const std::string& key, const std::string& fallback) const {
  const std::string theirs = text(key, hf_activation(fallback));
  for (const auto& name : kActivationNames)
    if (theirs == name.theirs) return name.ours;
  refuse(key, "relu, gelu, gelu_new or silu");
}

nlohmann::json HfConfig::object(const std::string& key) const {
  const auto* value = find(key);
  if (value == nullptr) return nlohmann::json::object();
  if (!value->is_object()) refuse(key, "an object");
  return *value;
}

void HfConfig::expect(const std::string& key, const nlohmann::json& value) const {
  const auto* found = find(key);
  if (found != nullptr && *found != value) refuse(key, value.dump() + ", the only value this program computes");
}

std::string hf_activation(const std::string& ours) {
  for (const auto& name : kActivationNames)
    if (ours == name.ours) return name.theirs;
  throw UserError("Hugging Face's models have no activation '" + ours + "'", "such a model cannot be exported");
}

nlohmann::json hf_token(std::optional<int64_t> id, const LanguageModelConfig& config) {
  return id && *id < config.vocab_size ? nlohmann::json(*id) : nlohmann::json();
}

}  // namespace sst::models
