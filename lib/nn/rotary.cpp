#include "nn/rotary.hpp"

#include <cmath>
#include <vector>

#include "tensor/autograd.hpp"

namespace sst::nn {
namespace {

torch::Tensor turned(const torch::Tensor& x, const torch::Tensor& cos, const torch::Tensor& sin) {
  const auto half = x.chunk(2, -1);
  const torch::Tensor y = torch::cat({half[0] * cos - half[1] * sin, half[1] * cos + half[0] * sin}, -1);
  return y.to(x.scalar_type());
}

}  // namespace

Rotary::Rotary(int64_t positions, int64_t head_dim, double theta, const torch::TensorOptions& tensors) {
  const auto exact = tensors.dtype(torch::kFloat64);
  const torch::Tensor pairs = torch::arange(0, head_dim, 2, exact);  // 2i
  const torch::Tensor speed = torch::exp(pairs * (-std::log(theta) / static_cast<double>(head_dim)));
  const torch::Tensor angle = torch::outer(torch::arange(positions, exact), speed);
  const auto kept = tensors.dtype() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  cos_ = angle.cos().to(kept);
  sin_ = angle.sin().to(kept);
}

torch::Tensor Rotary::rotate(const torch::Tensor& x, int64_t first) const {
  const torch::Tensor cos = cos_.narrow(0, first, x.size(2)), sin = sin_.narrow(0, first, x.size(2));
  // A rotation's derivative is the rotation back, which needs nothing of x.
  return tensor::with_backward(turned(x.detach(), cos, sin), {x}, [cos, sin](const torch::Tensor& g, const auto&) {
    return std::vector{turned(g, cos, -sin)};
  });
}

}  // namespace sst::nn
