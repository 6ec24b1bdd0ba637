#pragma once

#include <cstdint>

namespace sst::metrics {

/// numpy.random.default_rng(seed), which sacreBLEU draws its samples with: PCG64 (O'Neill, "PCG: a family of simple
/// fast space-efficient statistically good algorithms", 2014, XSL-RR 128/64) seeded by SeedSequence. Only for results
/// that must be the same as another program's; all else draws from core/seeds.
///   source    numpy/random: bit_generator.pyx, src/pcg64, src/distributions (buffered_bounded_lemire_uint32)
class NumpyGenerator {
 public:
  explicit NumpyGenerator(uint64_t seed);

  /// integers(0, bound) for 1 ≤ bound ≤ 2^32 − 1.
  uint32_t below(uint32_t bound);

 private:
  __extension__ using Word128 = unsigned __int128;
  void step();
  uint64_t next_u64();
  uint32_t next_u32();

  Word128 state_ = 0, increment_ = 0;
  uint32_t high_half_ = 0;  ///< of the last 64 bits, still to be given out
  bool has_half_ = false;
};

}  // namespace sst::metrics
