#include "text/merges.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <queue>
#include <utility>

namespace sst::text {
namespace {

constexpr size_t kFewSymbols = 64;  // above this the heap is faster

}  // namespace

Merges::Merges(size_t count)
    : slots_(std::bit_ceil(2 * count + 2)), mask_(slots_.size() - 1), shift_(64 - std::countr_zero(slots_.size())) {}

bool Merges::add(int32_t left, int32_t right, Merge merge) {
  const uint64_t key = pair(left, right);
  size_t slot = first_slot(key);
  for (; slots_[slot].key != kEmpty; slot = (slot + 1) & mask_)
    if (slots_[slot].key == key) return false;
  slots_[slot] = {key, merge};
  return true;
}

void Merges::apply(std::vector<int32_t>& ids) const {
  if (ids.size() < 2) return;
  ids.size() <= kFewSymbols ? apply_by_passes(ids) : apply_by_heap(ids);
}

void Merges::apply_by_passes(std::vector<int32_t>& ids) const {
  std::array<Merge, kFewSymbols> merges;  // of each symbol with the next one
  for (size_t i = 0; i + 1 < ids.size(); ++i) merges[i] = find(ids[i], ids[i + 1]);
  size_t count = ids.size();
  while (count > 1) {
    const auto lowest = std::min_element(merges.begin(), merges.begin() + static_cast<ptrdiff_t>(count) - 1,
                                         [](const Merge& a, const Merge& b) { return a.rank < b.rank; });
    const uint32_t rank = lowest->rank;
    if (rank == kNever) break;
    merges[count - 1] = {};
    size_t kept = static_cast<size_t>(lowest - merges.begin());
    std::array<bool, kFewSymbols + 1> stale{};  // stale[i]: the pair that ends at symbol i is new
    for (size_t i = kept; i < count; ++i, ++kept) {
      const bool merged = merges[i].rank == rank;
      ids[kept] = merged ? merges[i].id : ids[i];
      stale[kept] |= merged;
      stale[kept + 1] = merged;
      i += merged;
      merges[kept] = merges[i];
    }
    count = kept;
    for (size_t i = 0; i + 1 < count; ++i)
      if (stale[i + 1]) merges[i] = find(ids[i], ids[i + 1]);
  }
  ids.resize(count);
}

void Merges::apply_by_heap(std::vector<int32_t>& ids) const {
  const size_t end = ids.size();
  std::vector<size_t> next(end), before(end);
  for (size_t i = 0; i < end; ++i) next[i] = i + 1, before[i] = i == 0 ? end : i - 1;
  constexpr int32_t kGone = -1;

  using Candidate = std::pair<uint32_t, size_t>;  // rank, place of the left symbol
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto merge_at = [&](size_t i) { return next[i] == end ? Merge{} : find(ids[i], ids[next[i]]); };
  const auto propose = [&](size_t i) {
    if (i == end || ids[i] == kGone) return;
    if (const Merge merge = merge_at(i); merge.rank != kNever) candidates.emplace(merge.rank, i);
  };
  for (size_t i = 0; i < end; ++i) propose(i);

  std::vector<size_t> fresh;  // pairs made in this round; they wait for its end even where their rank is lower
  while (!candidates.empty()) {
    const uint32_t rank = candidates.top().first;
    while (!candidates.empty() && candidates.top().first == rank) {
      const size_t i = candidates.top().second;
      candidates.pop();
      if (ids[i] == kGone) continue;
      const Merge merge = merge_at(i);
      if (merge.rank != rank) continue;  // one of the two has become part of something else
      ids[i] = merge.id;
      ids[next[i]] = kGone;
      next[i] = next[next[i]];
      if (next[i] != end) before[next[i]] = i;
      fresh.push_back(before[i]);
      fresh.push_back(i);
    }
    for (const size_t i : fresh) propose(i);
    fresh.clear();
  }
  ids.erase(std::remove(ids.begin(), ids.end(), kGone), ids.end());
}

}  // namespace sst::text
