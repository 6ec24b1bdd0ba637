#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace sst::text {

/// The table of a byte-pair encoding: which neighbours become one symbol, and which of them first.
class Merges {
 public:
  static constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();

  struct Merge {
    uint32_t rank = kNever;  ///< the lowest goes first
    int32_t id = 0;          ///< of the two as one
  };

  /// `count` entries will be added.
  explicit Merges(size_t count);

  /// False, and nothing is added, when the pair is there already. Ids are not negative.
  bool add(int32_t left, int32_t right, Merge merge);

  Merge find(int32_t left, int32_t right) const {
    const uint64_t key = pair(left, right);
    for (size_t slot = first_slot(key);; slot = (slot + 1) & mask_) {
      if (slots_[slot].key == key) return slots_[slot].merge;
      if (slots_[slot].key == kEmpty) return {};
    }
  }

  /// Takes the pair of lowest rank and merges all its occurrences from left to right, until no pair is in the table.
  /// Takes n log n for n symbols.
  void apply(std::vector<int32_t>& ids) const;

 private:
  static constexpr uint64_t kEmpty = std::numeric_limits<uint64_t>::max();
  struct Slot {
    uint64_t key = kEmpty;
    Merge merge;
  };

  static uint64_t pair(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  size_t first_slot(uint64_t key) const { return (key * 0x9E3779B97F4A7C15u) >> shift_; }
  void apply_by_passes(std::vector<int32_t>& ids) const;
  void apply_by_heap(std::vector<int32_t>& ids) const;

  std::vector<Slot> slots_;  ///< open addressing, at most half full
  size_t mask_;
  int shift_;
};

}  // namespace sst::text
