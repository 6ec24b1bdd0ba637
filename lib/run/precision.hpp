#pragma once

#include <torch/types.h>

#include <string>

#include "recipe/words.hpp"

namespace sst::run {

/// `precision`: a preset (fp32, fp64), or the types one by one. Graph tasks know float32 and float64; the mixed
/// presets come with the tasks whose time is spent in large matrix products.
struct Precision {
  std::string params = "fp32";

  template <class Field>
  void describe(Field& field) {
    field(params, "params", recipe::one_of({"fp32", "fp64"}), "type of weights, states and arithmetic");
  }

  torch::ScalarType dtype() const { return params == "fp64" ? torch::kFloat64 : torch::kFloat32; }
};

}  // namespace sst::run
