#include "optim/low_rank_steps.hpp"

namespace sst::optim {

using torch::Tensor;

Moments zero_tangent(const LowRankMatrix& matrix, const std::string& name) {
  return {{name + "_s", torch::zeros_like(matrix.s)},
          {name + "_u", torch::zeros_like(matrix.u)},
          {name + "_v", torch::zeros_like(matrix.v)}};
}

LowRankTangent read_tangent(const LowRankMatrix& matrix, const Moments& moments, const std::string& name) {
  const int64_t r = matrix.rank();
  return {.a = moments.at(name + "_s").narrow(0, 0, r).narrow(1, 0, r),
          .b = moments.at(name + "_u").narrow(0, 0, r).t(),
          .c = moments.at(name + "_v").narrow(0, 0, r).t()};
}

void write_tangent(const LowRankTangent& tangent, Moments& moments, const std::string& name) {
  set_block(moments.at(name + "_s"), tangent.a);
  set_block(moments.at(name + "_u"), tangent.b.t());
  set_block(moments.at(name + "_v"), tangent.c.t());
}

namespace {

/// The point in bases completed by u2 and v2.
LowRankPoint completed(const LowRankPoint& at, const Tensor& u2, const Tensor& v2) {
  return {.u = torch::cat({at.u, u2}, 1),
          .s = torch::constant_pad_nd(at.s, {0, v2.size(1), 0, u2.size(1)}),
          .v = torch::cat({at.v, v2}, 1)};
}

}  // namespace

LowRankPoint retract_(LowRankMatrix& matrix, const LowRankTangent& direction, double lr, double decay) {
  const LowRankPoint at = matrix.point();
  const Tensor u2 = new_directions(at.u, direction.b), v2 = new_directions(at.v, direction.c);
  LowRankPoint moved = completed(at, u2, v2);
  moved.s = moved.s * (1 - lr * decay) - augmented_coordinates(direction, u2, v2) * lr;
  const LowRankPoint to = truncate(moved, matrix.rank(), matrix.truncation).point;
  matrix.set(to, to.s.size(0));
  return to;
}

Tensor CoreStep::padded(const Tensor& stored) const {
  const int64_t rows = std::min(point.s.size(0), stored.size(0)), cols = std::min(point.s.size(1), stored.size(1));
  const Tensor known = stored.narrow(0, 0, rows).narrow(1, 0, cols);  // beyond what was in use it is zero
  return torch::constant_pad_nd(known, {0, point.s.size(1) - cols, 0, point.s.size(0) - rows});
}

CoreStep open_core(const LowRankMatrix& matrix, int64_t step) {
  const LowRankPoint at = matrix.point();
  const LowRankTangent gradient = matrix.gradient();
  const bool first = (step - 1) % matrix.inner_steps == 0;
  if (!first) return {.point = at, .gradient = gradient.a, .rank = matrix.rank()};
  const Tensor u2 = new_directions(at.u, gradient.b), v2 = new_directions(at.v, gradient.c);
  return {.point = completed(at, u2, v2), .gradient = augmented_coordinates(gradient, u2, v2), .rank = matrix.rank()};
}

Truncated close_core_(LowRankMatrix& matrix, const CoreStep& core, int64_t step) {
  if (step % matrix.inner_steps != 0) {
    matrix.set(core.point, core.rank);
    return {.point = core.point, .p = {}, .q = {}};
  }
  const Truncated closed = truncate(core.point, core.rank, matrix.truncation);
  matrix.set(closed.point, closed.point.s.size(0));
  return closed;
}

}  // namespace sst::optim
