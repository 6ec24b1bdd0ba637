#include "optim/riemannian_adam.hpp"

#include <cmath>

#include "optim/cpu_loop.hpp"
#include "optim/geodesic.hpp"
#include "tensor/changed.hpp"

namespace sst::optim {

using torch::Tensor;

Moments RiemannianAdam::zero_moments(const Tensor& gradient, Geometry geometry) const {
  Moments moments = Adam::zero_moments(gradient, geometry);
  if (geometry == Geometry::kLorentz) moments["exp_avg_sq"] = torch::zeros({gradient.size(0), 1}, gradient.options());
  return moments;
}

void RiemannianAdam::update_on_manifold_(Tensor points, const Tensor& gradient, State& state, double lr) const {
  const auto t = static_cast<double>(state.step);
  const double beta1 = options().beta1, beta2 = options().beta2, eps = options().eps;
  const double first_correction = 1 - std::pow(beta1, t), second_correction = 1 - std::pow(beta2, t);
  const bool stabilize = state.step % kStabilizeEvery == 0;
  Tensor& m = state.moments.at("exp_avg");     // [points, dim]
  Tensor& v = state.moments.at("exp_avg_sq");  // [points, 1]
  const Tensor g = gradient.contiguous();

  if (!fits_cpu_loop({points, g, m, v})) {
    const Tensor tangent = riemannian_gradient(points, gradient);
    m.mul_(beta1).add_(tangent, 1 - beta1);
    v.mul_(beta2).add_(squared_norms(tangent), 1 - beta2);
    const Tensor lengths = lr / first_correction / ((v / second_correction).sqrt() + eps);  // [points, 1]
    return move_points_(points, m, lengths, stabilize);
  }
  with_type_of(points, [&](auto zero) {
    using Float = decltype(zero);
    auto* const squares = v.data_ptr<Float>();
    PointRows<Float>{.points = points.data_ptr<Float>(),
                     .gradient = g.const_data_ptr<Float>(),
                     .momentum = m.data_ptr<Float>(),
                     .count = points.size(0),
                     .dim = points.size(1),
                     .momentum_decay = static_cast<Float>(beta1),
                     .gradient_weight = static_cast<Float>(1 - beta1),
                     .stabilize = stabilize}
        .move([&](int64_t row, Float square) {
          Float& mean = squares[row];
          mean = static_cast<Float>(beta2) * mean + static_cast<Float>(1 - beta2) * square;
          return static_cast<Float>(lr / first_correction) /
                 (std::sqrt(mean / static_cast<Float>(second_correction)) + static_cast<Float>(eps));
        });
  });
  tensor::mark_changed(points);
}

}  // namespace sst::optim
