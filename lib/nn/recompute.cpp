#include "nn/recompute.hpp"

#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "tensor/autograd.hpp"

namespace sst::nn {

torch::Tensor recomputed(const std::function<torch::Tensor(const std::vector<torch::Tensor>&)>& f,
                         const std::vector<torch::Tensor>& inputs) {
  if (!torch::GradMode::is_enabled()) return f(inputs);
  // Without a gradient of their own the inputs still have to carry backward to the tensors inside f.
  std::vector<torch::Tensor> carriers, kept;
  for (const torch::Tensor& x : inputs) {
    carriers.push_back(x.requires_grad() ? x : x.detach().requires_grad_());
    kept.push_back(x.detach());
  }
  torch::Tensor y;
  {
    const torch::NoGradGuard no_grad;
    y = f(kept);
  }
  return tensor::with_backward(y, carriers, [f, kept](const torch::Tensor& gradient, const auto&) {
    const torch::AutoGradMode with_graph(true);
    std::vector<torch::Tensor> again, gradients;
    for (const torch::Tensor& x : kept) again.push_back(x.detach().requires_grad_());
    torch::autograd::backward({f(again)}, {gradient});
    for (const torch::Tensor& x : again) gradients.push_back(x.grad());
    return gradients;
  });
}

torch::Tensor recomputed(const std::function<torch::Tensor(const torch::Tensor&)>& f, const torch::Tensor& x) {
  return recomputed([f](const std::vector<torch::Tensor>& in) { return f(in[0]); }, std::vector{x});
}

}  // namespace sst::nn
