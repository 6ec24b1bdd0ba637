#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

namespace sst::nn {

/// f(x), of which only x is kept for backward: backward computes f a second time and walks that graph (activation
/// checkpointing). Gradients of the tensors that f uses besides x are added to their .grad, so they have to be leaves.
/// f must give the same bits twice; dropout by counter does.
torch::Tensor recomputed(const std::function<torch::Tensor(const torch::Tensor&)>& f, const torch::Tensor& x);

/// The same of several inputs.
torch::Tensor recomputed(const std::function<torch::Tensor(const std::vector<torch::Tensor>&)>& f,
                         const std::vector<torch::Tensor>& inputs);

}  // namespace sst::nn
