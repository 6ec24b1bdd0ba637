#pragma once

#include <string>

#include "optim/low_rank_matrix.hpp"
#include "optim/update_rule.hpp"

/// The parts that the rules for low-rank matrices share.
namespace sst::optim {

/// Moments that hold a tangent vector, "NAME_s", "NAME_u", "NAME_v", in room for the largest rank.
Moments zero_tangent(const LowRankMatrix& matrix, const std::string& name);
LowRankTangent read_tangent(const LowRankMatrix& matrix, const Moments& moments, const std::string& name);
void write_tangent(const LowRankTangent& tangent, Moments& moments, const std::string& name);

/// W ← truncate((1 − lr · decay) W − lr D) for a tangent vector D; the new point. Nothing but the truncation is lost: W −
/// lr D is exact in bases of twice the rank.
LowRankPoint retract_(LowRankMatrix& matrix, const LowRankTangent& direction, double lr, double decay);

/// One step on S alone, in bases that the first of `inner_steps` augments.
struct CoreStep {
  LowRankPoint point;      ///< in augmented bases
  torch::Tensor gradient;  ///< [r, q], with respect to point.s; in the first step its lower right block is zero
  int64_t rank = 0;        ///< before the augmentation

  /// A matrix of moments, as stored, in the augmented bases: what is new is zero.
  torch::Tensor padded(const torch::Tensor& stored) const;
};

/// `step` counts this update, from 1.
CoreStep open_core(const LowRankMatrix& matrix, int64_t step);
/// Writes the point; in the last of the inner steps after truncating it. Rotations are undefined where there were none.
Truncated close_core_(LowRankMatrix& matrix, const CoreStep& core, int64_t step);

}  // namespace sst::optim
