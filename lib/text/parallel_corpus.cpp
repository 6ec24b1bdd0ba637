#include "text/parallel_corpus.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "text/unicode_properties.hpp"

namespace sst::text {
namespace {

void note(PairCounts::Reason& reason, const std::string& place) {
  if (reason.pairs++ == 0) reason.first = place;
}

std::string described(const PairCounts::Reason& reason, std::string_view what) {
  return fmt::format("{} {} (first: {})", with_thousands(reason.pairs), what, reason.first);
}

bool is_unbalanced(size_t source, size_t target, double most) {
  return static_cast<double>(std::max(source, target)) > most * static_cast<double>(std::min(source, target));
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
  std::vector<int32_t> source_ids, target_ids;
  const auto encode = [&](const Tokenizer& tokenizer, const std::string& text, const std::string& place,
                          std::vector<int32_t>& ids) {
    ids.clear();
    try {
      tokenizer.encode(text, ids);
    } catch (const DataError& error) {
      throw DataError(place + ": " + error.what(), error.hint());
    }
  };
  for (SentencePair pair; reader.next(pair);) {
    ++counts_.read;
    if (options.lowercase) {
      pair.source = to_lower(pair.source);
      pair.target = to_lower(pair.target);
    }
    encode(source, pair.source, pair.source_place, source_ids);
    encode(target, pair.target, pair.target_place, target_ids);
    if (source_ids.empty() || target_ids.empty()) {
      note(counts_.empty, source_ids.empty() ? pair.source_place : pair.target_place);
      if (options.filter) continue;
    }
    if (options.filter && !keeps(*options.filter, pair, source_ids, target_ids)) continue;
    ++counts_.kept;
    source_.append(source_ids);
    target_.append(target_ids);
    lengths_.push_back({static_cast<int32_t>(source_ids.size()), static_cast<int32_t>(target_ids.size())});
    if (options.keeps_text) texts_.emplace_back(std::move(pair.source), std::move(pair.target));
  }
  digests_ = reader.digests();
  if (counts_.kept == 0)
    throw DataError(files.source.front().string() + ": no pair is left: " + counts_.summary(),
                    "data.max_src_len and data.max_tgt_len say how long a side may be");
}

/// Applies the filter to a pair without empty sides; may shorten it.
bool ParallelCorpus::keeps(const PairFilter& filter, const SentencePair& pair, std::vector<int32_t>& source,
                           std::vector<int32_t>& target) {
  if (filter.max_ratio && is_unbalanced(source.size(), target.size(), *filter.max_ratio)) {
    note(counts_.ratio, pair.source_place);
    return false;
  }
  const auto max_source = static_cast<size_t>(filter.max_source), max_target = static_cast<size_t>(filter.max_target);
  if (source.size() <= max_source && target.size() <= max_target) return true;
  const bool is_source = source.size() > max_source;
  const std::string& place = is_source ? pair.source_place : pair.target_place;
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
