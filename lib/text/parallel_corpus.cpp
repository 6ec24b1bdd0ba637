#include "text/parallel_corpus.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>

#include "core/error.hpp"
#include "core/text.hpp"
#include "text/unicode_properties.hpp"

namespace sst::text {
namespace {

constexpr size_t kPairsAtATime = 8192, kLeastPairsOfAThread = 256;

void note(PairCounts::Reason& reason, const std::string& place) {
  if (reason.pairs++ == 0) reason.first = place;
}

std::string described(const PairCounts::Reason& reason, std::string_view what) {
  return fmt::format("{} {} (first: {})", with_thousands(reason.pairs), what, reason.first);
}

bool is_unbalanced(size_t source, size_t target, double most) {
  return static_cast<double>(std::max(source, target)) > most * static_cast<double>(std::min(source, target));
}

void require_fits(const SentencePair& pair, size_t source, size_t target, const PairLength& longest) {
  const bool is_source = source > static_cast<size_t>(longest.source);
  if (!is_source && target <= static_cast<size_t>(longest.target)) return;
  throw DataError(fmt::format("{}: the sentence has {} tokens, but the model takes at most {}",
                              is_source ? pair.source_place : pair.target_place, is_source ? source : target,
                              is_source ? longest.source : longest.target),
                  "shorten it, or use a larger model.max_positions: validation and test text is not filtered");
}

/// Calls visit(i) for all i below `count`, in slices on several threads. Of what it throws, the first in the order of i.
template <class Visit>
void in_slices(size_t count, int64_t threads, const Visit& visit) {
  const size_t slices = std::clamp<size_t>(count / kLeastPairsOfAThread, 1, static_cast<size_t>(threads));
  const auto slice = [&](size_t number) {
    for (size_t i = count * number / slices; i < count * (number + 1) / slices; ++i) visit(i);
  };
  std::vector<std::future<void>> others;
  for (size_t number = 1; number < slices; ++number) others.push_back(std::async(std::launch::async, slice, number));
  slice(0);
  for (auto& other : others) other.get();
}

}  // namespace

std::string PairCounts::summary() const {
  std::string text = fmt::format("kept {} of {} pairs", with_thousands(kept), with_thousands(read));
  std::vector<std::string> dropped;
  if (empty.pairs > 0) dropped.push_back(described(empty, "with an empty side"));
  if (too_long.pairs > 0) dropped.push_back(described(too_long, "too long"));
  if (ratio.pairs > 0) dropped.push_back(described(ratio, "of unequal length"));
  if (kept < read) text += "; dropped " + join(dropped, ", ");
  if (kept == read && empty.pairs > 0) text += "; " + dropped.front();
  if (truncated.pairs > 0) text += "; cut " + described(truncated, "that were too long");
  return text;
}

ParallelCorpus::ParallelCorpus(const ParallelFiles& files, const Tokenizer& source, const Tokenizer& target,
                               const ParallelOptions& options) {
  ParallelReader reader(files);
  const auto encode = [](const Tokenizer& tokenizer, const std::string& text, const std::string& place,
                         std::vector<int32_t>& ids) {
    ids.clear();
    try {
      tokenizer.encode(text, ids);
    } catch (const DataError& error) {
      throw DataError(place + ": " + error.what(), error.hint());
    }
  };
  std::vector<EncodedPair> block(kPairsAtATime);
  for (size_t filled = kPairsAtATime; filled == kPairsAtATime;) {
    filled = 0;
    while (filled < kPairsAtATime && reader.next(block[filled].text)) ++filled;
    in_slices(filled, options.threads, [&](size_t i) {
      SentencePair& text = block[i].text;
      if (options.lowercase) {
        text.source = to_lower(text.source);
        text.target = to_lower(text.target);
      }
      encode(source, text.source, text.source_place, block[i].source);
      encode(target, text.target, text.target_place, block[i].target);
    });
    for (size_t i = 0; i < filled; ++i) add(block[i], options);
  }
  digests_ = reader.digests();
  if (counts_.kept == 0)
    throw DataError(files.source.front().string() + ": no pair is left: " + counts_.summary(),
                    "data.max_src_len and data.max_tgt_len say how long a side may be");
  if (std::all_of(lengths_.begin(), lengths_.end(), [](const PairLength& length) { return length.source == 0; }))
    throw DataError(files.source.front().string() + ": no line has anything to translate");
}

void ParallelCorpus::add(EncodedPair& pair, const ParallelOptions& options) {
  auto& [text, source, target] = pair;
  ++counts_.read;
  if (source.empty() || target.empty()) {
    note(counts_.empty, source.empty() ? text.source_place : text.target_place);
    if (options.filter) return;
  }
  if (options.filter && !keeps(*options.filter, pair)) return;
  if (!options.filter && options.longest) require_fits(pair.text, source.size(), target.size(), *options.longest);
  ++counts_.kept;
  source_.append(source);
  target_.append(target);
  lengths_.push_back({static_cast<int32_t>(source.size()), static_cast<int32_t>(target.size())});
  if (options.keeps_text) texts_.emplace_back(std::move(text.source), std::move(text.target));
}

/// Applies the filter to a pair without empty sides; may shorten it.
bool ParallelCorpus::keeps(const PairFilter& filter, EncodedPair& pair) {
  auto& [text, source, target] = pair;
  if (filter.max_ratio && is_unbalanced(source.size(), target.size(), *filter.max_ratio)) {
    note(counts_.ratio, text.source_place);
    return false;
  }
  const auto max_source = static_cast<size_t>(filter.max_source), max_target = static_cast<size_t>(filter.max_target);
  if (source.size() <= max_source && target.size() <= max_target) return true;
  const bool is_source = source.size() > max_source;
  const std::string& place = is_source ? text.source_place : text.target_place;
  switch (filter.too_long) {
    case TooLong::kDrop:
      note(counts_.too_long, place);
      return false;
    case TooLong::kTruncate:
      note(counts_.truncated, place);
      source.resize(std::min(source.size(), max_source));
      target.resize(std::min(target.size(), max_target));
      return true;
    case TooLong::kError:
      break;
  }
  throw DataError(fmt::format("{}: the sentence has {} tokens, more than the {} allowed", place,
                              is_source ? source.size() : target.size(), is_source ? max_source : max_target),
                  "data.too_long: drop or truncate, or a larger data.max_src_len and data.max_tgt_len");
}

}  // namespace sst::text
