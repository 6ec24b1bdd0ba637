#include "core/seeds.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/for_each_cpu.hpp"
#include "core/philox.hpp"

namespace sst {
namespace {

/// The finaliser of SplitMix64 (Steele et al. 2014): every input bit changes half of the output bits.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

constexpr size_t kLanes = 16;  // blocks side by side, one vector instruction for several of them

/// The words of `wide` times kLanes blocks.
SST_FOR_EACH_CPU void philox_lanes(uint64_t first_block, size_t wide, uint64_t index, uint32_t key0, uint32_t key1,
                                   uint32_t* words) {
  for (size_t n = 0; n < wide; ++n, first_block += kLanes, words += 4 * kLanes) {
    uint32_t c0[kLanes], c1[kLanes], c2[kLanes], c3[kLanes];
    for (size_t i = 0; i < kLanes; ++i) {
      c0[i] = static_cast<uint32_t>(first_block + i);
      c1[i] = static_cast<uint32_t>((first_block + i) >> 32);
      c2[i] = static_cast<uint32_t>(index);
      c3[i] = static_cast<uint32_t>(index >> 32);
    }
    uint32_t k0 = key0, k1 = key1;
    for (int round = 0; round < philox::kRounds; ++round, k0 += philox::kWeyl0, k1 += philox::kWeyl1)
      for (size_t i = 0; i < kLanes; ++i) philox::round(c0[i], c1[i], c2[i], c3[i], k0, k1);
    for (size_t i = 0; i < kLanes; ++i) {
      words[4 * i] = c0[i];
      words[4 * i + 1] = c1[i];
      words[4 * i + 2] = c2[i];
      words[4 * i + 3] = c3[i];
    }
  }
}

}  // namespace

uint64_t name_index(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

uint64_t combine(uint64_t a, uint64_t b) { return mix(mix(a) ^ b); }

CounterRng::CounterRng(uint64_t seed, Stream stream, uint64_t index) : index_(index) {
  const uint64_t key = combine(seed, static_cast<uint64_t>(stream));
  key_ = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
}

std::array<uint32_t, 4> CounterRng::block(uint64_t block) const {
  std::array<uint32_t, 4> words;
  philox::block(block, index_, key_[0], key_[1], words.data());
  return words;
}

void CounterRng::fill(uint64_t first_block, std::span<uint32_t> words) const {
  const size_t wide = words.size() / (4 * kLanes);
  philox_lanes(first_block, wide, index_, key_[0], key_[1], words.data());
  first_block += wide * kLanes;
  for (size_t done = wide * 4 * kLanes; done < words.size(); done += 4) {
    const auto rest = block(first_block++);
    std::copy_n(rest.begin(), std::min<size_t>(4, words.size() - done), words.begin() + static_cast<ptrdiff_t>(done));
  }
}

uint32_t CounterRng::next_u32() {
  if (left_ == 0) {
    words_ = block(position_++);
    left_ = 4;
  }
  return words_[static_cast<size_t>(4 - left_--)];
}

uint64_t CounterRng::next_u64() {
  const uint64_t low = next_u32();
  return low | (uint64_t{next_u32()} << 32);
}

double CounterRng::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

double CounterRng::normal() {
  const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

uint64_t CounterRng::below(uint64_t bound) {
  const uint64_t limit = bound * (UINT64_MAX / bound);  // the largest multiple of bound
  uint64_t draw = next_u64();
  while (draw >= limit) draw = next_u64();
  return draw % bound;
}

}  // namespace sst
