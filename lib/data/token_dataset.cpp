#include "data/token_dataset.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/permutation.hpp"
#include "core/seeds.hpp"

namespace sst::data {
namespace {

Permutation epoch_order(int64_t size, uint64_t seed, int64_t epoch) {
  return {size, CounterRng(seed, Stream::kDataOrder, static_cast<uint64_t>(epoch))};
}

}  // namespace

TokenDataset::TokenDataset(text::TokenStream stream, const TokenDatasetOptions& options)
    : stream_(std::move(stream)), options_(options) {
  require(options_.seq_len >= 1, "TokenDataset: seq_len must be at least 1");
  if (options_.packing == Packing::kContiguous) {
    const int64_t round_up = options_.keep_rest ? options_.seq_len - 1 : 0;
    size_ = (std::max<int64_t>(0, stream_.size() - 1) + round_up) / options_.seq_len;
  } else {
    find_documents();
    size_ = static_cast<int64_t>(starts_.size());
  }
  if (size_ == 0)
    throw DataError(fmt::format("the {} split has {} tokens, too few for one sequence of data.seq_len: {}",
                                options_.name, stream_.size(), options_.seq_len),
                    "lower data.seq_len, or give more text");
}

/// A document is what lies between two separators; one more is thought before the first token and, unless it is there,
/// after the last. The first input is the separator before it, the last target the one after it, so that every token
/// of the document is predicted once, and its end too. Empty documents are left out.
void TokenDataset::find_documents() {
  if (!options_.separator)
    throw UserError("data.packing is document, but this tokenizer puts nothing between documents",
                    "data.packing: contiguous");
  const int64_t separator = *options_.separator;
  for (int64_t before = -1, after = 0; before < stream_.size(); before = after) {
    after = stream_.find(separator, before + 1);
    if (after == before + 1) continue;
    for (int64_t start = before; start < after; start += options_.seq_len) starts_.push_back(start);
  }
}

int64_t TokenDataset::order(uint64_t seed, int64_t epoch, int64_t index) const {
  return options_.shuffle ? epoch_order(size_, seed, epoch)(index) : index;
}

std::vector<int64_t> TokenDataset::samples(uint64_t seed, int64_t first, int64_t count) const {
  std::vector<int64_t> sequences;
  sequences.reserve(static_cast<size_t>(count));
  for (int64_t sample = first; sample < first + count;) {
    const int64_t epoch = sample / size_;
    const int64_t epoch_end = std::min(first + count, (epoch + 1) * size_);
    const Permutation permuted = epoch_order(size_, seed, epoch);
    for (; sample < epoch_end; ++sample) {
      const int64_t index = sample - epoch * size_;
      sequences.push_back(options_.shuffle ? permuted(index) : index);
    }
  }
  return sequences;
}

/// Fills inputs and last target from the place `first`, up to and with the next separator when packing is kDocument.
///   returns   how many entries were filled
int64_t TokenDataset::fill_window(int64_t first, std::span<int64_t> window) const {
  if (options_.packing == Packing::kContiguous) {
    const auto there = window.first(std::min(window.size(), static_cast<size_t>(stream_.size() - first)));
    stream_.copy(first, there);
    check_ids(first, there);
    return static_cast<int64_t>(there.size());
  }
  const int64_t separator = *options_.separator;
  const int64_t from = std::max<int64_t>(0, first);  // −1 stands for the separator thought before the first token
  const int64_t until = std::min(stream_.size(), first + static_cast<int64_t>(window.size()));
  const auto skipped = static_cast<size_t>(from - first);
  const auto real = window.subspan(skipped, static_cast<size_t>(until - from));
  if (skipped > 0) window[0] = separator;
  stream_.copy(from, real);
  check_ids(from, real);
  if (skipped + real.size() < window.size()) window[skipped + real.size()] = separator;  // thought after the last token
  const auto end =
      std::find(window.begin() + 1, window.begin() + static_cast<ptrdiff_t>(skipped + real.size()), separator);
  return std::min<int64_t>(end - window.begin() + 1, static_cast<int64_t>(window.size()));
}

void TokenDataset::check_ids(int64_t first, std::span<const int64_t> ids) const {
  const auto outside = std::find_if(ids.begin(), ids.end(), [this](int64_t id) { return id >= options_.vocabulary; });
  if (outside == ids.end()) return;
  throw DataError(fmt::format("{}: id {} is not below {}, the size of the vocabulary",
                              stream_.where(first + (outside - ids.begin())), *outside, options_.vocabulary),
                  "these tokens come from another tokenizer");
}

TokenBatch TokenDataset::batch(std::span<const int64_t> sequences) const {
  const auto rows = static_cast<int64_t>(sequences.size());
  const int64_t length = options_.seq_len;
  TokenBatch batch = {.inputs = torch::empty({rows, length}, torch::kInt64),
                      .targets = torch::empty({rows, length}, torch::kInt64)};
  auto* input = batch.inputs.data_ptr<int64_t>();
  auto* target = batch.targets.data_ptr<int64_t>();
  std::vector<int64_t> window(static_cast<size_t>(length) + 1);
  for (const int64_t sequence : sequences) {
    if (sequence < 0 || sequence >= size_) require(false, "TokenDataset::batch: no such sequence");
    const int64_t first =
        options_.packing == Packing::kContiguous ? sequence * length : starts_[static_cast<size_t>(sequence)];
    const int64_t filled = fill_window(first, window);
    const int64_t padding = options_.separator.value_or(0);  // any id: nothing that counts looks at it
    std::fill(window.begin() + filled, window.end(), padding);
    std::copy_n(window.begin(), length, input);
    std::copy_n(window.begin() + 1, length, target);
    std::fill(target + (filled - 1), target + length, tensor::kNoTarget);
    input += length;
    target += length;
  }
  return batch;
}

}  // namespace sst::data
