#pragma once

#include <cstdint>

namespace sst::tensor {

/// Σ u_i v_i over `width` entries in eight interleaved partial sums: a fixed order that vector units can
/// follow, where one running sum would have to be scalar.
template <class Scalar>
inline Scalar row_dot(const Scalar* u, const Scalar* v, int64_t width) {
  constexpr int kLanes = 8;
  Scalar sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) sums[lane] += u[i + lane] * v[i + lane];
  Scalar rest = 0;
  for (; i < width; ++i) rest += u[i] * v[i];
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])) + rest;
}

/// Rows per task of a parallel loop whose rows cost about `width` operations each.
inline int64_t row_grain(int64_t width) { return 1 + 32768 / (1 + width); }

}  // namespace sst::tensor
