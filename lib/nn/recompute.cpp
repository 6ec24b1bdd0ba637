#include "nn/recompute.hpp"

#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "tensor/autograd.hpp"

namespace sst::nn {

torch::Tensor recomputed(const std::function<torch::Tensor(const torch::Tensor&)>& f, const torch::Tensor& x) {
  if (!torch::GradMode::is_enabled()) return f(x);
  // Without a gradient of its own x still has to carry backward to the tensors inside f.
  const torch::Tensor input = x.requires_grad() ? x : x.detach().requires_grad_();
  torch::Tensor y;
  {
    const torch::NoGradGuard no_grad;
    y = f(input.detach());
  }
  return tensor::with_backward(y, {input}, [f, kept = input.detach()](const torch::Tensor& gradient, const auto&) {
    const torch::AutoGradMode with_graph(true);
    const torch::Tensor again = kept.detach().requires_grad_();
    torch::autograd::backward({f(again)}, {gradient});
    return std::vector{again.grad()};
  });
}

}  // namespace sst::nn
