#pragma once

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace sst::data {

/// NumPy's legacy generator (numpy.random.RandomState), which the published splits were drawn with.
///   source    numpy/random/src/legacy and mt19937.c: init_genrand, masked rejection, Fisher-Yates from the
///   end
class LegacyRandom {
 public:
  explicit LegacyRandom(uint32_t seed) : engine_(seed) {}

  /// Uniform in [0, most], both ends included. Outputs are masked with the smallest 2^j − 1 ≥ most and
  /// rejected above `most`; a `most` that needs more than 32 bits takes two outputs, the high half first.
  uint64_t interval(uint64_t most);

  template <class T>
  void shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i-- > 1;) std::swap(items[i], items[interval(i)]);
  }

  /// What `shuffle` would leave in the first `count` places of 0, 1, …, size − 1, and the generator where it
  /// would leave it, without holding the list: the draws are made twice, forwards for the generator's states
  /// and then block by block backwards, following where the wanted places came from. For 194 million items it
  /// needs 24 MB, not 0.8 GB.
  std::vector<uint64_t> shuffled_front(uint64_t size, uint64_t count);

 private:
  /// std::mt19937 word for word, but for its word type: that one keeps 32-bit words in 64 bits and is three times slower.
  using Engine = std::mersenne_twister_engine<uint32_t, 32, 624, 397, 31, 0x9908b0df, 11, 0xffffffff, 7, 0x9d2c5680, 15,
                                              0xefc60000, 18, 1812433253>;
  Engine engine_;
};

}  // namespace sst::data
