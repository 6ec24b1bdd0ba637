#include "nn/lorentz_normalise.hpp"

#include <ATen/Parallel.h>

#include <cmath>

#include "tensor/autograd.hpp"
#include "tensor/lanes.hpp"
#include "tensor/lorentz.hpp"

namespace sst::nn {
namespace {

/// What the backward pass wants to know of each row, [rows, 2]: 1 / sqrt(max(|<h,h>|, floor)), and the sign
/// of <h,h>, 0 where the floor is active.
constexpr int64_t kSavedPerSum = 2;

template <class Scalar>
void normalise_range(int64_t begin, int64_t end, int64_t dim, Scalar* h, Scalar* saved) {
  constexpr auto kFloor = static_cast<Scalar>(tensor::lorentz::kLeastCentroidSquare);
  for (int64_t row = begin; row < end; ++row) {
    Scalar* point = h + row * dim;
    const Scalar square = tensor::space_dot(point, point, dim) - point[0] * point[0];
    const Scalar inverse = 1 / std::sqrt(std::max(std::abs(square), kFloor));
    tensor::scale(inverse, point, dim, point);
    saved[row * kSavedPerSum] = inverse;
    saved[row * kSavedPerSum + 1] = std::abs(square) < kFloor ? Scalar{0} : std::copysign(Scalar{1}, square);
  }
}

/// With D = sqrt|<h,h>| and o = h / D: ∂L/∂h = (g − sign(<h,h>) (g·o) J o) / D, J = diag(−1, 1, …, 1).
template <class Scalar>
void normalise_range_backward(int64_t begin, int64_t end, int64_t dim, const Scalar* points, const Scalar* saved,
                              const Scalar* gradient, Scalar* into) {
  for (int64_t row = begin; row < end; ++row) {
    const Scalar *o = points + row * dim, *g = gradient + row * dim;
    const Scalar inverse = saved[row * kSavedPerSum];
    const Scalar pull = saved[row * kSavedPerSum + 1] * (tensor::space_dot(g, o, dim) + g[0] * o[0]) * inverse;
    tensor::combine(inverse, g, -pull, o, dim, into + row * dim);
    into[row * dim] = g[0] * inverse + pull * o[0];
  }
}

}  // namespace

torch::Tensor normalise_rows_(torch::Tensor h) {
  const int64_t rows = h.size(0), dim = h.size(1);
  const torch::Tensor saved = torch::empty({rows, kSavedPerSum}, h.options());
  AT_DISPATCH_FLOATING_TYPES(h.scalar_type(), "normalise_rows", [&] {
    at::parallel_for(0, rows, tensor::row_grain(dim), [&](int64_t begin, int64_t end) {
      normalise_range<scalar_t>(begin, end, dim, h.mutable_data_ptr<scalar_t>(), saved.mutable_data_ptr<scalar_t>());
    });
  });
  return saved;
}

torch::Tensor normalise_rows_backward(const torch::Tensor& points, const torch::Tensor& saved,
                                      const torch::Tensor& gradient) {
  const torch::Tensor g = gradient.contiguous(), into = torch::empty_like(points);
  const int64_t dim = points.size(1);
  AT_DISPATCH_FLOATING_TYPES(points.scalar_type(), "normalise_rows_backward", [&] {
    at::parallel_for(0, points.size(0), tensor::row_grain(dim), [&](int64_t begin, int64_t end) {
      normalise_range_backward<scalar_t>(begin, end, dim, points.const_data_ptr<scalar_t>(),
                                         saved.const_data_ptr<scalar_t>(), g.const_data_ptr<scalar_t>(),
                                         into.mutable_data_ptr<scalar_t>());
    });
  });
  return into;
}

torch::Tensor lorentz_normalise(const torch::Tensor& h) {
  if (!h.device().is_cpu()) return tensor::lorentz::normalise(h);
  const torch::Tensor points = h.detach().clone(at::MemoryFormat::Contiguous);
  const torch::Tensor rows = points.detach().view({-1, h.size(-1)}), saved = normalise_rows_(rows);
  return tensor::with_backward(points, {h}, [rows, saved](const torch::Tensor& gradient, const auto&) {
    return std::vector{normalise_rows_backward(rows, saved, gradient.reshape(rows.sizes())).view(gradient.sizes())};
  });
}

}  // namespace sst::nn
