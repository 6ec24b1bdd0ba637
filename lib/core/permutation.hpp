#pragma once

#include <array>
#include <cstdint>

#include "core/seeds.hpp"

namespace sst {

/// A pseudo-random order of 0 … size − 1 that is computed where it is asked for: no list, however large the size. A
/// Feistel network permutes the next power of four; a value outside goes through it again until it lands inside
/// (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002), which takes less than four rounds on average.
class Permutation {
 public:
  /// `size` is at least 1. The keys are the first numbers of `rng`, whose copy is taken.
  Permutation(int64_t size, CounterRng rng);

  /// What stands at place `index`, 0 ≤ index < size.
  int64_t operator()(int64_t index) const;

 private:
  uint64_t size_;
  int half_bits_ = 1;  ///< the network works on two halves of as many bits
  std::array<uint64_t, 8> keys_{};
};

}  // namespace sst
