#include "text/ordered_encoder.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/error.hpp"
#include "text/unicode_properties.hpp"

namespace sst::text {
namespace {

constexpr int64_t kBatchBytes = int64_t{1} << 19;     // enough work to outweigh a lock
constexpr int64_t kInFlightBytes = int64_t{1} << 26;  // of text; ids take up to four times as much

}  // namespace

OrderedEncoder::OrderedEncoder(const Tokenizer& tokenizer, const CorpusOptions& options, int64_t threads,
                               std::function<void(const EncodedDocument&)> consume)
    : tokenizer_(tokenizer), options_(options), consume_(std::move(consume)) {
  for (int64_t i = 0; i < std::max<int64_t>(1, threads); ++i) threads_.emplace_back([this] { work(); });
}

OrderedEncoder::~OrderedEncoder() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    tasks_.clear();
  }
  task_or_close_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void OrderedEncoder::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    task_or_close_.wait(lock, [this] { return closed_ || !tasks_.empty(); });
    if (closed_) return;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
  }
}

OrderedEncoder::Encoded OrderedEncoder::encode(Batch batch) const {
  Encoded encoded;
  size_t most_ids = 0;
  for (const RawDocument& document : batch) most_ids += document.bytes.size() + 1;
  encoded.ids.reserve(most_ids);  // untouched pages cost nothing; growing would cost the ids once more
  for (RawDocument& document : batch) {
    const RawDocument place = {
        .bytes = {}, .source = document.source, .line = document.line, .offset = document.offset};
    const std::string text = document_text(std::move(document), options_);
    try {
      tokenizer_.encode(text, encoded.ids);
    } catch (const DataError& error) {
      throw DataError(place.where() + ": " + error.what(), error.hint());
    }
    if (const auto separator = tokenizer_.separator()) encoded.ids.push_back(*separator);
    encoded.ends.push_back(encoded.ids.size());
    encoded.text_bytes.push_back(static_cast<int64_t>(text.size()));
    encoded.words.push_back(count_words(text));
  }
  return encoded;
}

void OrderedEncoder::add(RawDocument document) {
  batch_bytes_ += static_cast<int64_t>(document.bytes.size());
  batch_.push_back(std::move(document));
  if (batch_bytes_ >= kBatchBytes) submit();
}

void OrderedEncoder::submit() {
  while (!in_flight_.empty() && in_flight_bytes_ + batch_bytes_ > kInFlightBytes) hand_on_oldest();
  auto shared = std::make_shared<Batch>(std::exchange(batch_, {}));
  std::packaged_task<Encoded()> task([this, shared] { return encode(std::move(*shared)); });
  in_flight_.push_back({task.get_future(), batch_bytes_});
  in_flight_bytes_ += std::exchange(batch_bytes_, 0);
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  task_or_close_.notify_one();
  while (!in_flight_.empty() &&
         in_flight_.front().encoded.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
    hand_on_oldest();
}

void OrderedEncoder::hand_on_oldest() {
  const Encoded encoded = in_flight_.front().encoded.get();
  in_flight_bytes_ -= in_flight_.front().bytes;
  in_flight_.pop_front();
  size_t begin = 0;
  for (size_t i = 0; i < encoded.ends.size(); ++i) {
    consume_({std::span(encoded.ids).subspan(begin, encoded.ends[i] - begin), encoded.text_bytes[i], encoded.words[i]});
    begin = encoded.ends[i];
  }
}

void OrderedEncoder::finish() {
  if (!batch_.empty()) submit();
  while (!in_flight_.empty()) hand_on_oldest();
}

}  // namespace sst::text
