#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "text/parallel_corpus.hpp"

namespace sst::data {

/// How large a batch of sentence pairs may be.
struct BatchLimit {
  enum class Unit {
    kTokens,     ///< pairs · max(longest source + 2, longest target + 1): padding and the specials count
    kSentences,  ///< pairs
  };
  Unit unit = Unit::kTokens;
  int64_t size = 0;
  int64_t multiple = 1;  ///< a batch has a multiple of so many pairs, where it can (batch_size_multiple)
};

/// Batches as ranges of a list: the batch i is the items from ends[i − 1] to before ends[i].
///
/// Pairs are appended; as soon as the size is reached the batch closes, and the last pair goes on to the next one where
/// the size is exceeded, with as many more as the multiple asks for. If nothing would remain, the batch goes on. So a
/// pair that is larger than the limit still forms a batch.
///   source    OpenNMT-py 1.1.1, onmt/inputters/inputter.py, batch_iter
std::vector<size_t> cut_batches(std::span<const text::PairLength> lengths, const BatchLimit& limit);

/// The batches of one epoch.
class PairBatches {
 public:
  enum class Order {
    kShuffled,   ///< all pairs are shuffled, sorted stably by (source length, target length), cut, the batches shuffled
    kAsTheyLie,  ///< cut where they lie
  };
  /// A pure function of its arguments. Every epoch has the same number of batches, since sorted lengths are the same.
  ///   lengths   of all pairs, at least one
  PairBatches(std::span<const text::PairLength> lengths, const BatchLimit& limit, uint64_t seed, int64_t epoch,
              Order order = Order::kShuffled);

  int64_t size() const { return static_cast<int64_t>(batches_.size()); }
  /// Pairs of a batch; where they are shuffled, by falling length.
  std::span<const int64_t> operator[](int64_t batch) const;

 private:
  struct Range {
    size_t first = 0, count = 0;
  };
  void cut(std::span<const text::PairLength> lengths, const BatchLimit& limit);

  std::vector<int64_t> pairs_;
  std::vector<Range> batches_;
};

}  // namespace sst::data
