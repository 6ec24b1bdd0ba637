#pragma once

#include <torch/types.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/shared_files.hpp"

namespace sst::testing {

/// The tolerance that hybonet_vectors.json was written for: absolute plus relative, in float64.
constexpr double kVectorTolerance = 1e-9;

inline void append_numbers(const nlohmann::json& value, std::vector<double>& numbers) {
  if (!value.is_array()) return numbers.push_back(value.get<double>());
  for (const auto& element : value) append_numbers(element, numbers);
}

/// A number or nested lists of numbers as a float64 tensor of that shape.
inline torch::Tensor to_tensor(const nlohmann::json& value) {
  std::vector<int64_t> shape;
  for (const nlohmann::json* level = &value; level->is_array(); level = &level->front())
    shape.push_back(static_cast<int64_t>(level->size()));
  std::vector<double> numbers;
  append_numbers(value, numbers);
  return torch::tensor(numbers, torch::kFloat64).view(shape);
}

/// One case of reference numbers.
class VectorCase {
 public:
  explicit VectorCase(nlohmann::json content) : content_(std::move(content)) {}

  torch::Tensor in(const std::string& name) const { return to_tensor(content_.at("inputs").at(name)); }
  torch::Tensor out(const std::string& name) const { return to_tensor(content_.at("outputs").at(name)); }
  torch::Tensor in_indices(const std::string& name) const { return in(name).to(torch::kInt64); }
  double in_number(const std::string& name) const { return content_.at("inputs").at(name).get<double>(); }
  double out_number(const std::string& name) const { return content_.at("outputs").at(name).get<double>(); }
  const nlohmann::json& inputs() const { return content_.at("inputs"); }
  const nlohmann::json& outputs() const { return content_.at("outputs"); }

 private:
  nlohmann::json content_;
};

/// A case of hybonet_vectors.json, or nothing where the shared folder is absent (one line says so).
inline std::optional<VectorCase> hybonet_vectors(const std::string& name) {
  const auto path = shared_file("spec/hybonet_vectors.json");
  if (!path) return std::nullopt;
  static const nlohmann::json file = nlohmann::json::parse(std::ifstream(*path));
  for (const auto& entry : file.at("cases"))
    if (entry.at("name") == name) return VectorCase(entry);
  throw std::runtime_error("hybonet_vectors.json has no case '" + name + "'");
}

/// What a number must equal to agree with a reference, for CHECK(ours == near(reference)).
inline auto near(double reference) { return Approx(reference).epsilon(kVectorTolerance).margin(kVectorTolerance); }

inline bool agrees(const torch::Tensor& ours, const torch::Tensor& reference) {
  return ours.sizes() == reference.sizes() &&
         torch::allclose(ours.detach(), reference, kVectorTolerance, kVectorTolerance);
}

/// An object of named numbers and lists as tensors.
inline std::map<std::string, torch::Tensor> to_tensors(const nlohmann::json& object) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& [name, value] : object.items()) tensors[name] = to_tensor(value);
  return tensors;
}

}  // namespace sst::testing
