#include "optim/riemannian_sgd.hpp"

#include "optim/cpu_loop.hpp"
#include "optim/geodesic.hpp"
#include "tensor/changed.hpp"

namespace sst::optim {

using torch::Tensor;

Moments RiemannianSgd::zero_moments(const Tensor& gradient, Geometry geometry) const {
  if (geometry == Geometry::kEuclidean) return Sgd::zero_moments(gradient, geometry);
  return {{"momentum_buffer", torch::zeros_like(gradient, at::MemoryFormat::Contiguous)}};
}

void RiemannianSgd::update_on_manifold_(Tensor points, const Tensor& gradient, State& state, double lr) const {
  const bool stabilize = state.step % kStabilizeEvery == 0;
  Tensor& m = state.moments.at("momentum_buffer");  // [points, dim]
  const Tensor g = gradient.contiguous();

  if (!fits_cpu_loop({points, g, m})) {
    m.mul_(options().momentum).add_(riemannian_gradient(points, gradient));
    return move_points_(points, m, torch::full({1}, lr, points.options()), stabilize);
  }
  with_type_of(points, [&](auto zero) {
    using Float = decltype(zero);
    PointRows<Float>{.points = points.data_ptr<Float>(),
                     .gradient = g.const_data_ptr<Float>(),
                     .momentum = m.data_ptr<Float>(),
                     .count = points.size(0),
                     .dim = points.size(1),
                     .momentum_decay = static_cast<Float>(options().momentum),
                     .gradient_weight = 1,
                     .stabilize = stabilize}
        .move([&](int64_t, Float) { return static_cast<Float>(lr); });
  });
  tensor::mark_changed(points);
}

}  // namespace sst::optim
