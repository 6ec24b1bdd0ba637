#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

namespace sst::nn {

using Activation = torch::Tensor (*)(const torch::Tensor&);

/// `relu`, `gelu`, `gelu_tanh` (GPT-2's approximation, "gelu_new"), `silu`, `none`.
const std::vector<std::string>& activation_names();

/// Throws UserError naming the nearest one when the name is unknown.
Activation activation(const std::string& name);

}  // namespace sst::nn
