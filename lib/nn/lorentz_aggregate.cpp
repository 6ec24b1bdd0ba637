#include "nn/lorentz_aggregate.hpp"

#include <ATen/Parallel.h>

#include "tensor/autograd.hpp"
#include "tensor/lanes.hpp"
#include "tensor/lorentz.hpp"
#include "tensor/shape.hpp"

namespace sst::nn {
namespace {

constexpr double kAttentionDropout = 0.1;
constexpr double kInitialAttentionBias = 20;

/// What the backward pass wants to know of each row, [rows, 2]: 1 / sqrt(max(|<h,h>|, floor)), and the sign
/// of <h,h>, 0 where the floor is active.
constexpr int64_t kSavedPerNode = 2;

template <class Scalar>
void normalise_rows(int64_t begin, int64_t end, int64_t dim, Scalar* h, Scalar* saved) {
  constexpr auto kFloor = static_cast<Scalar>(tensor::lorentz::kLeastCentroidSquare);
  for (int64_t row = begin; row < end; ++row) {
    Scalar* point = h + row * dim;
    const Scalar square = tensor::space_dot(point, point, dim) - point[0] * point[0];
    const Scalar inverse = 1 / std::sqrt(std::max(std::abs(square), kFloor));
    tensor::scale(inverse, point, dim, point);
    saved[row * kSavedPerNode] = inverse;
    saved[row * kSavedPerNode + 1] = std::abs(square) < kFloor ? Scalar{0} : std::copysign(Scalar{1}, square);
  }
}

/// With D = sqrt|<h,h>| and o = h / D: ∂L/∂h = (g − sign(<h,h>) (g·o) J o) / D, J = diag(−1, 1, …, 1).
template <class Scalar>
void normalise_rows_backward(int64_t begin, int64_t end, int64_t dim, const Scalar* points, const Scalar* saved,
                             const Scalar* gradient, Scalar* into) {
  for (int64_t row = begin; row < end; ++row) {
    const Scalar *o = points + row * dim, *g = gradient + row * dim;
    const Scalar inverse = saved[row * kSavedPerNode];
    const Scalar pull = saved[row * kSavedPerNode + 1] * (tensor::space_dot(g, o, dim) + g[0] * o[0]) * inverse;
    tensor::combine(inverse, g, -pull, o, dim, into + row * dim);
    into[row * dim] = g[0] * inverse + pull * o[0];
  }
}

torch::Tensor normalise_backward(const torch::Tensor& points, const torch::Tensor& saved,
                                 const torch::Tensor& gradient) {
  const torch::Tensor g = gradient.contiguous(), into = torch::empty_like(points);
  const int64_t dim = points.size(1);
  AT_DISPATCH_FLOATING_TYPES(points.scalar_type(), "normalise_backward", [&] {
    at::parallel_for(0, points.size(0), tensor::row_grain(dim), [&](int64_t begin, int64_t end) {
      normalise_rows_backward<scalar_t>(begin, end, dim, points.const_data_ptr<scalar_t>(),
                                        saved.const_data_ptr<scalar_t>(), g.const_data_ptr<scalar_t>(),
                                        into.mutable_data_ptr<scalar_t>());
    });
  });
  return into;
}

}  // namespace

torch::Tensor lorentz_aggregate(const std::shared_ptr<const tensor::CsrMatrix>& adjacency, const torch::Tensor& x) {
  if (!x.device().is_cpu()) return tensor::lorentz::normalise(tensor::csr_matmul(adjacency, x));
  const torch::Tensor points = tensor::csr_times(*adjacency, adjacency->values, x.detach());  // [nodes, dim]
  const int64_t nodes = points.size(0), dim = points.size(1);
  const torch::Tensor saved = torch::empty({nodes, kSavedPerNode}, points.options());
  AT_DISPATCH_FLOATING_TYPES(points.scalar_type(), "lorentz_aggregate", [&] {
    at::parallel_for(0, nodes, tensor::row_grain(dim), [&](int64_t begin, int64_t end) {
      normalise_rows<scalar_t>(begin, end, dim, points.mutable_data_ptr<scalar_t>(),
                               saved.mutable_data_ptr<scalar_t>());
    });
  });
  return tensor::with_backward(
      points, {x}, [adjacency, kept = points.detach(), saved](const torch::Tensor& gradient, const auto&) {
        const torch::Tensor by_sum = normalise_backward(kept, saved, gradient);  // [nodes, dim]
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
