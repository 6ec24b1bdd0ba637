#include "core/permutation.hpp"

#include "core/error.hpp"

namespace sst {

Permutation::Permutation(int64_t size, CounterRng rng) : size_(static_cast<uint64_t>(size)) {
  require(size >= 1, "Permutation: the size must be at least 1");
  while (half_bits_ < 32 && (uint64_t{1} << (2 * half_bits_)) < size_) ++half_bits_;
  for (uint64_t& key : keys_) key = rng.next_u64();
}

int64_t Permutation::operator()(int64_t index) const {
  if (index < 0 || static_cast<uint64_t>(index) >= size_) require(false, "Permutation: the index is outside");
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  auto value = static_cast<uint64_t>(index);
  do {
    uint64_t left = value >> half_bits_, right = value & mask;
    for (const uint64_t key : keys_) {
      const uint64_t mixed = left ^ (combine(key, right) & mask);
      left = right;
      right = mixed;
    }
    value = left << half_bits_ | right;
  } while (value >= size_);
  return static_cast<int64_t>(value);
}

}  // namespace sst
