#include "data/mt19937.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <unordered_map>

#include "core/error.hpp"

namespace sst::data {
namespace {

constexpr uint64_t kBlock = uint64_t{1} << 20;  // draws per kept generator state

/// Where the wanted places of the shuffled list came from, found by undoing the swaps from the last to the first.
class Trace {
 public:
  Trace(uint64_t size, uint64_t count) : watched_in_bucket_(size / kBucket + 1) {
    for (uint64_t place = 0; place < count; ++place) move_to(place, place);
  }

  /// Undoes the swap of `i` with `j` ≤ i, the one that shuffle made for index i.
  void undo(uint64_t i, uint64_t j) {
    // Nearly all swaps touch no watched place; the counts are small enough to stay in the cache.
    if (watched_in_bucket_[j / kBucket] == 0 && watched_in_bucket_[i / kBucket] == 0) return;
    if (i == j) return;
    const auto slot_i = take(i), slot_j = take(j);
    if (slot_i) move_to(*slot_i, j);
    if (slot_j) move_to(*slot_j, i);
  }

  std::vector<uint64_t> origins() const {
    std::vector<uint64_t> result(slots_.size());
    for (const auto& [origin, slot] : slots_) result[slot] = origin;
    return result;
  }

 private:
  static constexpr uint64_t kBucket = 1024;

  std::optional<uint64_t> take(uint64_t place) {
    const auto found = slots_.find(place);
    if (found == slots_.end()) return std::nullopt;
    const uint64_t slot = found->second;
    slots_.erase(found);
    --watched_in_bucket_[place / kBucket];
    return slot;
  }
  void move_to(uint64_t slot, uint64_t place) {
    slots_[place] = slot;
    ++watched_in_bucket_[place / kBucket];
  }

  std::vector<uint16_t> watched_in_bucket_;
  std::unordered_map<uint64_t, uint64_t> slots_;  // watched place → index in the result
};

}  // namespace

uint64_t LegacyRandom::interval(uint64_t most) {
  if (most == 0) return 0;
  const uint64_t mask = ~uint64_t{0} >> std::countl_zero(most);
  while (true) {
    uint64_t draw = engine_();
    if (most > UINT32_MAX) draw = (draw << 32) | engine_();
    if ((draw &= mask) <= most) return draw;
  }
}

std::vector<uint64_t> LegacyRandom::shuffled_front(uint64_t size, uint64_t count) {
  require(count <= size, "shuffled_front: asked for more places than there are");
  if (size == 0) return {};
  // shuffle visits i = size − 1 … 1; block b covers kBlock of them.
  std::vector<Engine> states;
  for (uint64_t i = size - 1, drawn = 0; i >= 1; --i, ++drawn) {
    if (drawn % kBlock == 0) states.push_back(engine_);
    interval(i);
  }
  const Engine after = engine_;

  Trace trace(size, count);
  std::vector<uint64_t> partners;
  for (size_t block = states.size(); block-- > 0;) {
    engine_ = states[block];
    const uint64_t first = size - 1 - block * kBlock;  // visited first in this block
    const uint64_t draws = std::min(kBlock, first);
    partners.clear();
    for (uint64_t k = 0; k < draws; ++k) partners.push_back(interval(first - k));
    for (uint64_t k = draws; k-- > 0;) trace.undo(first - k, partners[k]);
  }
  engine_ = after;
  return trace.origins();
}

}  // namespace sst::data
