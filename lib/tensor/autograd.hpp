#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

namespace sst::tensor {

/// Gradients with respect to the inputs, in their order. needs[i] tells whether input i wants one; an
/// undefined tensor means "none".
using Backward =
    std::function<std::vector<torch::Tensor>(const torch::Tensor& gradient, const std::vector<bool>& needs)>;

/// Makes `output` a function of `inputs` with a hand-written derivative. `output` must have been computed
/// without a graph; where no input needs a gradient it is returned as it is. The closure must not hold
/// `output` itself (a cycle that is never freed) but output.detach(). It is dropped after the backward pass,
/// which cannot be differentiated again.
torch::Tensor with_backward(torch::Tensor output, const std::vector<torch::Tensor>& inputs, Backward backward);

}  // namespace sst::tensor
