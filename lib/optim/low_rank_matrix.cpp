#include "optim/low_rank_matrix.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace sst::optim {

using torch::Tensor;

LowRankPoint LowRankMatrix::point() const {
  const torch::NoGradGuard no_grad;
  const int64_t r = rows_of_u(), q = rows_of_v();
  return {.u = u.detach().narrow(0, 0, r).t().clone(),
          .s = s.detach().narrow(0, 0, r).narrow(1, 0, q).clone(),
          .v = v.detach().narrow(0, 0, q).t().clone()};
}

void LowRankMatrix::set(const LowRankPoint& point, int64_t rank) {
  const torch::NoGradGuard no_grad;
  const LowRankPoint copy{.u = point.u.t().contiguous(), .s = point.s.contiguous(), .v = point.v.t().contiguous()};
  set_block(u.detach(), copy.u);
  set_block(s.detach(), copy.s);
  set_block(v.detach(), copy.v);
  auto* const numbers = in_use.data_ptr<int64_t>();
  numbers[0] = rank;
  numbers[1] = copy.u.size(0);
  numbers[2] = copy.v.size(0);
}

LowRankTangent LowRankMatrix::gradient() const {
  const torch::NoGradGuard no_grad;
  const int64_t r = rows_of_u(), q = rows_of_v();
  LowRankTangent tangent{.a = s.grad().narrow(0, 0, r).narrow(1, 0, q), .b = {}, .c = {}};
  if (augmented()) return tangent;
  tangent.b = u.grad().narrow(0, 0, q).t();
  tangent.c = v.grad().narrow(0, 0, r).t();
  return tangent;
}

void set_block(Tensor padded, const Tensor& block) {
  require(block.size(0) <= padded.size(0) && block.size(1) <= padded.size(1),
          "a low-rank factor has outgrown its room");
  const Tensor values = block.to(padded.scalar_type()).clone();  // it may be part of what is overwritten
  padded.zero_();
  padded.narrow(0, 0, block.size(0)).narrow(1, 0, block.size(1)).copy_(values);
}

LowRankTangent project_gradient(const LowRankPoint& at, const Tensor& gk, const Tensor& gl, const Tensor& gs) {
  return {.a = gs, .b = gk - at.u.mm(gs), .c = gl - at.v.mm(gs.t())};
}

Tensor new_directions(const Tensor& basis, const Tensor& added) {
  const int64_t count = std::min(added.size(1), basis.size(0) - basis.size(1));
  if (count == 0) return basis.narrow(1, 0, 0);
  const Tensor q = std::get<0>(torch::linalg_qr(torch::cat({basis, added}, 1)));  // [m, min(m, r + added)]
  return q.narrow(1, basis.size(1), count);
}

Tensor augmented_coordinates(const LowRankTangent& tangent, const Tensor& u2, const Tensor& v2) {
  const Tensor corner = torch::zeros({u2.size(1), v2.size(1)}, tangent.a.options());
  return torch::cat({torch::cat({tangent.a, v2.t().mm(tangent.c).t()}, 1),  // [r, q + p2]
                     torch::cat({u2.t().mm(tangent.b), corner}, 1)},        // [p1, q + p2]
                    0);
}

namespace {

/// The smallest rank whose cut tail is no longer than the tolerance, within its bounds.
int64_t rank_for(const Tensor& sigma, int64_t rank, const Truncation& truncation) {
  const int64_t count = sigma.size(0);
  if (truncation.tolerance == 0 || truncation.frozen) return std::min(rank, count);
  const Tensor host = sigma.to(torch::kCPU, torch::kFloat64).contiguous();
  const auto* const values = host.const_data_ptr<double>();
  const double limit = truncation.tolerance * (truncation.relative ? host.norm().item<double>() : 1.0);
  int64_t kept = count;
  for (double tail = 0; kept > 0; --kept) {
    tail = std::hypot(tail, values[kept - 1]);
    if (tail > limit) break;
  }
  return std::min(count, std::clamp(kept, truncation.rank_min, truncation.rank_max));
}

}  // namespace

Truncated truncate(const LowRankPoint& augmented, int64_t rank, const Truncation& truncation) {
  const bool same_rank = truncation.tolerance == 0 || truncation.frozen;
  if (same_rank && augmented.s.size(0) == rank && augmented.s.size(1) == rank)
    return {.point = augmented, .p = {}, .q = {}};
  // The core is small: double precision costs nothing and keeps the bases orthonormal.
  const auto [left, sigma, right] = torch::linalg_svd(augmented.s.to(torch::kFloat64), /*full_matrices=*/false);
  const int64_t kept = rank_for(sigma, rank, truncation);
  const auto type = augmented.u.scalar_type();
  const Tensor p = left.narrow(1, 0, kept).to(type), q = right.narrow(0, 0, kept).t().to(type);
  return {.point = {.u = augmented.u.mm(p), .s = sigma.narrow(0, 0, kept).diag().to(type), .v = augmented.v.mm(q)},
          .p = p,
          .q = q};
}

LowRankTangent transported(const LowRankTangent& tangent, const LowRankPoint& from, const LowRankPoint& to) {
  const Tensor uu = from.u.t().mm(to.u), vv = from.v.t().mm(to.v);                                // [r, r1]
  const Tensor mv = from.u.mm(tangent.a.mm(vv) + tangent.c.t().mm(to.v)) + tangent.b.mm(vv);      // M V⁺
  const Tensor mu = from.v.mm(tangent.a.t().mm(uu) + tangent.b.t().mm(to.u)) + tangent.c.mm(uu);  // Mᵀ U⁺
  const Tensor a = to.u.t().mm(mv);
  return {.a = a, .b = mv - to.u.mm(a), .c = mu - to.v.mm(a.t())};
}

}  // namespace sst::optim
