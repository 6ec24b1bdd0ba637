#include "nn/compute.hpp"

#include <vector>

#include "tensor/autograd.hpp"

namespace sst::nn {

torch::Tensor in_compute_type(const torch::Tensor& x, const Pass& pass) {
  return pass.compute && x.defined() ? x.to(*pass.compute) : x;
}

tensor::Rows in_compute_type(const tensor::Rows& x, const Pass& pass) {
  return x.is_sparse() ? x : tensor::Rows(in_compute_type(x.dense(), pass));
}

torch::Tensor ComputeCopy::of(const torch::Tensor& weight, const Pass& pass) {
  const torch::ScalarType own = weight.scalar_type();
  if (!pass.compute || *pass.compute == own) return weight;
  const auto version = static_cast<int64_t>(weight._version());
  if (version_ != version || copy_.scalar_type() != *pass.compute) {
    copy_ = weight.detach().to(*pass.compute);
    version_ = version;
  }
  return tensor::with_backward(copy_.detach(), {weight}, [own](const torch::Tensor& gradient, const auto&) {
    return std::vector{gradient.to(own)};
  });
}

}  // namespace sst::nn
