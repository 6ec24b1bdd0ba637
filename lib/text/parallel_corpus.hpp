#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "text/parallel_text.hpp"
#include "text/tokenizer.hpp"

namespace sst::text {

/// Lengths of a pair in tokens, without begin and end.
struct PairLength {
  int32_t source = 0, target = 0;
  bool operator==(const PairLength&) const = default;
};

/// What happens to a training pair with a side that is longer than allowed.
enum class TooLong { kDrop, kTruncate, kError };

/// Which training pairs are kept. Validation and test text is never filtered.
struct PairFilter {
  int64_t max_source = 256, max_target = 256;  ///< tokens
  TooLong too_long = TooLong::kDrop;
  std::optional<double> max_ratio = {};  ///< of the longer side to the shorter
};

/// Pairs that were read, and why some are not there. Of each reason the first place is kept.
struct PairCounts {
  struct Reason {
    int64_t pairs = 0;
    std::string first;  ///< "train.de:17"
  };
  int64_t read = 0, kept = 0;
  Reason empty, too_long, ratio;
  Reason truncated;  ///< kept

  /// "kept 28,990 of 29,000 pairs; dropped 7 that are too long (first: train.de:17), 3 with an empty side (…)".
  std::string summary() const;
};

struct ParallelOptions {
  bool lowercase = false;
  std::optional<PairFilter> filter = {};   ///< for training text; a pair with an empty side is dropped then, too
  std::optional<PairLength> longest = {};  ///< what a model can take: of text that is not filtered, more is an error
  bool keeps_text = false;                 ///< for drawing other segmentations of it
  int64_t threads = 1;                     ///< that encode
};

/// Parallel text as ids, in memory.
class ParallelCorpus {
 public:
  /// Without a filter every pair is kept, so that pair i is line i.
  ///   throws    DataError with file and line: what ParallelReader throws; a pair that is too long with TooLong::kError
  ///             or without a filter; nothing left, or nothing to translate
  ParallelCorpus(const ParallelFiles& files, const Tokenizer& source, const Tokenizer& target,
                 const ParallelOptions& options);

  int64_t size() const { return static_cast<int64_t>(lengths_.size()); }
  std::span<const int32_t> source(int64_t pair) const { return source_.at(pair); }
  std::span<const int32_t> target(int64_t pair) const { return target_.at(pair); }
  const std::vector<PairLength>& lengths() const { return lengths_; }
  /// Both sides of a pair as text, where the options keep it; what truncation left out is there too.
  const std::pair<std::string, std::string>& text(int64_t pair) const { return texts_.at(static_cast<size_t>(pair)); }
  const PairCounts& counts() const { return counts_; }
  const std::vector<FileDigest>& digests() const { return digests_; }  ///< of the files: source and target in turn

 private:
  /// Sequences one after the other.
  struct Side {
    std::vector<int32_t> ids;
    std::vector<size_t> ends;

    void append(std::span<const int32_t> sequence) {
      ids.insert(ids.end(), sequence.begin(), sequence.end());
      ends.push_back(ids.size());
    }
    std::span<const int32_t> at(int64_t index) const {
      const auto i = static_cast<size_t>(index);
      const size_t start = i == 0 ? 0 : ends[i - 1];
      return std::span(ids).subspan(start, ends[i] - start);
    }
  };
  /// A pair of sentences with its ids.
  struct EncodedPair {
    SentencePair text;
    std::vector<int32_t> source, target;
  };
  /// Appends a pair unless the filter drops it.
  void add(EncodedPair& pair, const ParallelOptions& options);
  bool keeps(const PairFilter& filter, EncodedPair& pair);

  Side source_, target_;
  std::vector<PairLength> lengths_;
  std::vector<std::pair<std::string, std::string>> texts_;
  PairCounts counts_;
  std::vector<FileDigest> digests_;
};

}  // namespace sst::text
