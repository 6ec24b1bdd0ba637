#pragma once

#include <cstdint>
#include <cstring>

namespace sst::tensor {

/// A few numbers side by side in one 16-byte register, which every x86-64 and ARM64 processor has. Written out, because
/// at -O2 compilers leave sums over short rows in memory; and no wider, because then results would depend on the
/// processor (fused multiply-adds come with the wider registers).
template <class Scalar>
struct Lanes {
  static constexpr int kCount = 16 / sizeof(Scalar);
  typedef Scalar Vector __attribute__((vector_size(16)));

  static Vector load(const Scalar* from) {
    Vector vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
  }
  static void store(const Vector& vector, Scalar* to) { std::memcpy(to, &vector, sizeof vector); }
  static Scalar sum(const Vector& vector) {
    Scalar total = vector[0];
    for (int lane = 1; lane < kCount; ++lane) total += vector[lane];
    return total;
  }
};

/// Σ u_i v_i over entries 1 … dim − 1 of two rows: their space parts.
template <class Scalar>
inline Scalar space_dot(const Scalar* u, const Scalar* v, int64_t dim) {
  using Part = Lanes<Scalar>;
  typename Part::Vector sums{};
  Scalar rest = 0;
  int64_t i = 1;
  if (dim >= Part::kCount) {
    sums = Part::load(u) * Part::load(v);
    sums[0] = 0;
    for (i = Part::kCount; i + Part::kCount <= dim; i += Part::kCount) sums += Part::load(u + i) * Part::load(v + i);
  }
  for (; i < dim; ++i) rest += u[i] * v[i];
  return Part::sum(sums) + rest;
}

/// out_i = a u_i + b v_i over a row.
template <class Scalar>
inline void combine(Scalar a, const Scalar* u, Scalar b, const Scalar* v, int64_t dim, Scalar* out) {
  using Part = Lanes<Scalar>;
  int64_t i = 0;
  for (; i + Part::kCount <= dim; i += Part::kCount)
    Part::store(a * Part::load(u + i) + b * Part::load(v + i), out + i);
  for (; i < dim; ++i) out[i] = a * u[i] + b * v[i];
}

/// out_i = a u_i over a row.
template <class Scalar>
inline void scale(Scalar a, const Scalar* u, int64_t dim, Scalar* out) {
  using Part = Lanes<Scalar>;
  int64_t i = 0;
  for (; i + Part::kCount <= dim; i += Part::kCount) Part::store(a * Part::load(u + i), out + i);
  for (; i < dim; ++i) out[i] = a * u[i];
}

/// Rows per task of a parallel loop whose rows cost about `width` operations each.
inline int64_t row_grain(int64_t width) { return 1 + 32768 / (1 + width); }

}  // namespace sst::tensor
