#include "data/pair_batches.hpp"

#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "core/permutation.hpp"
#include "core/seeds.hpp"

namespace sst::data {
namespace {

/// A batch that is being filled.
class OpenBatch {
 public:
  explicit OpenBatch(BatchLimit::Unit unit) : unit_(unit) {}

  void add(const text::PairLength& length) {
    ++pairs_;
    longest_ = std::max<int64_t>({longest_, length.source + 2, length.target + 1});
  }
  int64_t pairs() const { return pairs_; }
  int64_t cost() const { return unit_ == BatchLimit::Unit::kTokens ? pairs_ * longest_ : pairs_; }

 private:
  BatchLimit::Unit unit_;
  int64_t pairs_ = 0, longest_ = 0;
};

CounterRng stream_of(uint64_t seed, int64_t epoch, std::string_view what) {
  return {seed, Stream::kDataOrder, combine(static_cast<uint64_t>(epoch), name_index(what))};
}

template <class Item>
void shuffle(std::vector<Item>& items, const CounterRng& rng) {
  const Permutation order(static_cast<int64_t>(items.size()), rng);
  std::vector<Item> shuffled;
  shuffled.reserve(items.size());
  for (size_t i = 0; i < items.size(); ++i)
    shuffled.push_back(items[static_cast<size_t>(order(static_cast<int64_t>(i)))]);
  items = std::move(shuffled);
}

}  // namespace

std::vector<size_t> cut_batches(std::span<const text::PairLength> lengths, const BatchLimit& limit) {
  require(limit.size > 0 && limit.multiple > 0, "a batch needs a size");
  std::vector<size_t> ends;
  OpenBatch batch(limit.unit);
  for (size_t i = 0; i < lengths.size(); ++i) {
    batch.add(lengths[i]);
    if (batch.cost() < limit.size) continue;
    int64_t passed_on = batch.cost() > limit.size ? 1 : 0;
    passed_on += (batch.pairs() - passed_on) % limit.multiple;
    if (passed_on == batch.pairs()) continue;
    ends.push_back(i + 1 - static_cast<size_t>(passed_on));
    batch = OpenBatch(limit.unit);
    for (size_t k = ends.back(); k <= i; ++k) batch.add(lengths[k]);
  }
  if (batch.pairs() > 0) ends.push_back(lengths.size());
  return ends;
}

PairBatches::PairBatches(std::span<const text::PairLength> lengths, const BatchLimit& limit, uint64_t seed,
                         int64_t epoch, Order order)
    : pairs_(lengths.size()) {
  require(!lengths.empty(), "there are no pairs to batch");
  std::iota(pairs_.begin(), pairs_.end(), 0);
  if (order == Order::kAsTheyLie) {
    cut(lengths, limit);
    return;
  }
  const auto length_of = [&](int64_t pair) -> const text::PairLength& { return lengths[static_cast<size_t>(pair)]; };
  shuffle(pairs_, stream_of(seed, epoch, "pairs"));
  std::stable_sort(pairs_.begin(), pairs_.end(), [&](int64_t a, int64_t b) {
    const auto &left = length_of(a), &right = length_of(b);
    return left.source != right.source ? left.source < right.source : left.target < right.target;
  });
  std::vector<text::PairLength> sorted;
  sorted.reserve(pairs_.size());
  for (const int64_t pair : pairs_) sorted.push_back(length_of(pair));
  cut(sorted, limit);
  for (const Range& range : batches_) {
    const auto first = pairs_.begin() + static_cast<ptrdiff_t>(range.first);
    std::reverse(first, first + static_cast<ptrdiff_t>(range.count));
  }
  shuffle(batches_, stream_of(seed, epoch, "batches"));
}

/// Into ranges of `pairs_`, whose lengths these are.
void PairBatches::cut(std::span<const text::PairLength> lengths, const BatchLimit& limit) {
  size_t start = 0;
  for (const size_t end : cut_batches(lengths, limit)) {
    batches_.push_back({start, end - start});
    start = end;
  }
}

std::span<const int64_t> PairBatches::operator[](int64_t batch) const {
  const Range& range = batches_[static_cast<size_t>(batch)];
  return std::span(pairs_).subspan(range.first, range.count);
}

}  // namespace sst::data
