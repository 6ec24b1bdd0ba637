#pragma once

#include <torch/nn/module.h>

#include <map>
#include <stdexcept>
#include <string>

#include "nn/linear.hpp"

namespace sst::testing {

/// Gives every stored tensor of `module` the value of that name; both must name the same tensors.
inline void set_tensors(const torch::nn::Module& module, const std::map<std::string, torch::Tensor>& values) {
  const torch::NoGradGuard no_grad;
  const auto tensors = nn::stored_tensors(module);
  if (tensors.size() != values.size()) throw std::runtime_error("the module holds another number of tensors");
  for (const auto& [name, tensor] : tensors) torch::Tensor(tensor).copy_(values.at(name));
}

}  // namespace sst::testing
