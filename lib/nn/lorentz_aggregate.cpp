#include "nn/lorentz_aggregate.hpp"

#include "nn/lorentz_normalise.hpp"
#include "tensor/autograd.hpp"
#include "tensor/lorentz.hpp"

namespace sst::nn {
namespace {

constexpr double kAttentionDropout = 0.1;
constexpr double kInitialAttentionBias = 20;

}  // namespace

torch::Tensor lorentz_aggregate(const std::shared_ptr<const tensor::CsrMatrix>& adjacency, const torch::Tensor& x) {
  if (!x.device().is_cpu()) return tensor::lorentz::normalise(tensor::csr_matmul(adjacency, x));
  const torch::Tensor points = tensor::csr_times(*adjacency, adjacency->values, x.detach());  // [nodes, dim]
  const torch::Tensor saved = normalise_rows_(points);
  return tensor::with_backward(
      points, {x}, [adjacency, kept = points.detach(), saved](const torch::Tensor& gradient, const auto&) {
        const torch::Tensor by_sum = normalise_rows_backward(kept, saved, gradient);  // [nodes, dim]
        return std::vector{tensor::csr_transposed_times(*adjacency, adjacency->values, by_sum)};
      });
}

LorentzAttention::LorentzAttention(int64_t dim, const Build& build, const std::string& name) {
  const LorentzLinearOptions options{.in = dim, .out = dim, .dropout = kAttentionDropout};
  query_ = register_module("query_linear", std::make_shared<LorentzLinear>(options, build, name + ".query_linear"));
  key_ = register_module("key_linear", std::make_shared<LorentzLinear>(options, build, name + ".key_linear"));
  bias_ = register_parameter("bias", torch::full({}, kInitialAttentionBias, build.tensors));
  scale_ = register_parameter("scale", torch::full({}, std::sqrt(static_cast<double>(dim)), build.tensors));
}

torch::Tensor LorentzAttention::forward(const std::shared_ptr<const tensor::CsrMatrix>& adjacency,
                                        const torch::Tensor& x, const Pass& pass) {
  const torch::Tensor query = query_->forward(x, pass), key = key_->forward(x, pass);    // [nodes, dim]
  const torch::Tensor closeness = 2 + 2 * tensor::lorentz::minkowski_cross(query, key);  // [nodes, nodes]
  const torch::Tensor weights =
      (closeness / scale_ + bias_).sigmoid() * tensor::to_dense(*adjacency, adjacency->values);  // [nodes, nodes]
  return tensor::lorentz::centroid(x, weights);                                                  // [nodes, dim]
}

}  // namespace sst::nn
