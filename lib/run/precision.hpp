#pragma once

#include <torch/types.h>

#include <optional>
#include <string>

#include "recipe/schema.hpp"
#include "recipe/words.hpp"

namespace sst::run {

/// `precision`: a preset, or the types one by one.
struct Precision {
  std::string params = "fp32";
  std::string compute = "fp32";
  std::optional<bool> stochastic_rounding;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(params, "params", one_of({"fp32", "fp64", "bf16"}), "type of weights, gradients and optimizer states");
    field(compute, "compute", one_of({"fp32", "tf32", "fp64", "bf16"}),
          "type of matrix products and attention; norms, softmax and loss stay in fp32 where this is bf16");
    field(stochastic_rounding, "stochastic_rounding", anything(),
          "params bf16: updates are computed in fp32 and rounded up or down by chance, so that small ones are kept on "
          "average; default: false, to the nearest");
  }

  /// For people.
  std::string words() const { return compute == params ? params : compute + " products of " + params + " weights"; }
  torch::ScalarType dtype() const { return type_of(params); }
  /// Nothing where it is that of the weights anyway.
  std::optional<torch::ScalarType> compute_type() const {
    return compute == params || compute == "tf32" ? std::nullopt : std::optional(type_of(compute));
  }

 private:
  static torch::ScalarType type_of(const std::string& word) {
    if (word == "fp64") return torch::kFloat64;
    return word == "bf16" ? torch::kBFloat16 : torch::kFloat32;
  }
};

/// The presets of the section.
inline void describe_precision(recipe::Schema& schema) {
  schema.describe<Precision>("precision");
  schema.preset("precision", "fp32", {{"params", "fp32"}, {"compute", "fp32"}});
  schema.preset("precision", "tf32", {{"params", "fp32"}, {"compute", "tf32"}});
  schema.preset("precision", "fp64", {{"params", "fp64"}, {"compute", "fp64"}});
  schema.preset("precision", "bf16_mixed", {{"params", "fp32"}, {"compute", "bf16"}});
  schema.preset("precision", "bf16_pure", {{"params", "bf16"}, {"compute", "bf16"}});
}

}  // namespace sst::run
