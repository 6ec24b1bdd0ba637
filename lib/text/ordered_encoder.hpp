#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "text/corpus.hpp"
#include "text/tokenizer.hpp"

namespace sst::text {

/// One document's ids; valid while the consumer looks at it.
struct EncodedDocument {
  std::span<const int32_t> ids;  ///< the separator after them included
  int64_t text_bytes = 0;
  int64_t words = 0;  ///< of the text: count_words
};

/// Tokenizes documents on several threads and hands them on in the order in which they came, on the caller's thread.
/// What is on the way is bounded in bytes: add() then waits for the oldest. The first error in the order of documents is
/// the one that is thrown.
class OrderedEncoder {
 public:
  OrderedEncoder(const Tokenizer& tokenizer, const CorpusOptions& options, int64_t threads,
                 std::function<void(const EncodedDocument&)> consume);
  ~OrderedEncoder();  ///< drops what is on the way
  OrderedEncoder(const OrderedEncoder&) = delete;
  OrderedEncoder& operator=(const OrderedEncoder&) = delete;

  /// Throws DataError of this document or an earlier one.
  void add(RawDocument document);
  /// Hands on all that is on the way.
  void finish();

 private:
  using Batch = std::vector<RawDocument>;
  struct Encoded {
    std::vector<int32_t> ids;
    std::vector<size_t> ends;  ///< of each document in ids
    std::vector<int64_t> text_bytes, words;
  };
  struct InFlight {
    std::future<Encoded> encoded;
    int64_t bytes = 0;
  };

  void work();
  Encoded encode(Batch batch) const;
  void submit();
  void hand_on_oldest();

  const Tokenizer& tokenizer_;
  const CorpusOptions& options_;
  std::function<void(const EncodedDocument&)> consume_;

  Batch batch_;  ///< being filled
  int64_t batch_bytes_ = 0;
  std::deque<InFlight> in_flight_;
  int64_t in_flight_bytes_ = 0;

  std::mutex mutex_;  ///< guards the two below
  std::deque<std::packaged_task<Encoded()>> tasks_;
  bool closed_ = false;
  std::condition_variable task_or_close_;
  std::vector<std::thread> threads_;
};

}  // namespace sst::text
