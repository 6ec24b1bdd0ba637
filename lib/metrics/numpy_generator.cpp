#include "metrics/numpy_generator.hpp"

#include <array>
#include <bit>
#include <cstddef>

namespace sst::metrics {
namespace {

/// The words of SeedSequence(seed).generate_state(4, uint64).
std::array<uint64_t, 4> seed_words(uint64_t seed) {
  uint32_t factor = 0x43b0d7e5;
  const auto hashed = [&](uint32_t value) {
    value ^= factor;
    factor *= 0x931e8875;
    value *= factor;
    return value ^ value >> 16;
  };
  const auto mixed = [](uint32_t x, uint32_t y) {
    const uint32_t value = 0xca01f9dd * x - 0x4973f715 * y;
    return value ^ value >> 16;
  };
  std::array<uint32_t, 4> pool = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  for (uint32_t& word : pool) word = hashed(word);
  for (size_t from = 0; from < pool.size(); ++from)
    for (size_t to = 0; to < pool.size(); ++to)
      if (from != to) pool[to] = mixed(pool[to], hashed(pool[from]));

  std::array<uint64_t, 4> words{};
  factor = 0x8b51f9dd;
  for (size_t i = 0; i < 2 * words.size(); ++i) {
    uint32_t value = pool[i % pool.size()] ^ factor;
    factor *= 0x58f38ded;
    value *= factor;
    value ^= value >> 16;
    words[i / 2] |= uint64_t{value} << 32 * (i % 2);
  }
  return words;
}

}  // namespace

NumpyGenerator::NumpyGenerator(uint64_t seed) {
  const auto words = seed_words(seed);
  increment_ = (static_cast<Word128>(words[2]) << 64 | words[3]) << 1 | 1;
  step();
  state_ += static_cast<Word128>(words[0]) << 64 | words[1];
  step();
}

void NumpyGenerator::step() {
  constexpr Word128 kMultiplier = static_cast<Word128>(0x2360ed051fc65da4) << 64 | 0x4385df649fccf645;
  state_ = state_ * kMultiplier + increment_;
}

uint64_t NumpyGenerator::next_u64() {
  step();
  return std::rotr(static_cast<uint64_t>(state_ >> 64) ^ static_cast<uint64_t>(state_),
                   static_cast<int>(state_ >> 122));
}

uint32_t NumpyGenerator::next_u32() {
  if (has_half_) {
    has_half_ = false;
    return high_half_;
  }
  const uint64_t word = next_u64();
  high_half_ = static_cast<uint32_t>(word >> 32);
  has_half_ = true;
  return static_cast<uint32_t>(word);
}

uint32_t NumpyGenerator::below(uint32_t bound) {
  if (bound == 1) return 0;  // and draws nothing
  uint64_t product = uint64_t{next_u32()} * bound;
  if (static_cast<uint32_t>(product) < bound) {
    const uint32_t threshold = (0u - bound) % bound;
    while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next_u32()} * bound;
  }
  return static_cast<uint32_t>(product >> 32);
}

}  // namespace sst::metrics
