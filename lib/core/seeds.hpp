#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace sst {

/// The named sources of randomness. Each draw is a pure function of (seed, stream, index, position), so
/// nothing that is created, skipped or resumed shifts what another part draws. The numbers are part of every
/// result: never renumber.
enum class Stream : uint32_t {
  kInit = 1,       ///< initial weights; index = name of the tensor
  kDataOrder = 2,  ///< order of samples; index = epoch
  kDropout = 3,    ///< masks; index = (step, layer)
  kMethod = 4,     ///< SST's sampling, merges, random bases; index = (draw, layer)
  kNegatives = 5,  ///< link prediction's negative pairs; index = epoch
  kDecode = 6,     ///< sampling of text
  kData = 7,       ///< made data sets and splits
};

/// 64 bits from a name (FNV-1a), to use as an index.
uint64_t name_index(std::string_view name);

/// One index from two.
uint64_t combine(uint64_t a, uint64_t b);

/// Counter-based generator (core/philox.hpp). The key is (seed, stream), the counter (position, index). Copies are independent; nothing is
/// global.
class CounterRng {
 public:
  CounterRng(uint64_t seed, Stream stream, uint64_t index = 0);

  /// The four words at block `block` of this stream: random access for loops over many elements.
  std::array<uint32_t, 4> block(uint64_t block) const;
  /// The words of the blocks from `first_block` on, until `words` is full: block() for many, several blocks
  /// at a time.
  void fill(uint64_t first_block, std::span<uint32_t> words) const;

  std::array<uint32_t, 2> key() const { return key_; }
  uint64_t index() const { return index_; }

  uint32_t next_u32();
  uint64_t next_u64();
  double uniform();                ///< in [0, 1), 53 bits
  double normal();                 ///< standard normal (Box-Muller)
  uint64_t below(uint64_t bound);  ///< uniform in [0, bound), without bias

 private:
  std::array<uint32_t, 2> key_;
  uint64_t index_;
  uint64_t position_ = 0;  ///< next block
  std::array<uint32_t, 4> words_{};
  int left_ = 0;  ///< words of the current block not yet given out
};

}  // namespace sst
