#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <utility>

namespace sst::data {

/// Makes the next of a row of things on a thread of its own while the one before is in use.
template <class Made>
class Prefetch {
 public:
  /// `make` depends on the index alone; it runs on one thread at a time, and the last call may be for nothing.
  explicit Prefetch(std::function<Made(int64_t)> make) : make_(std::move(make)) {}

  /// The thing of this index, and begins with the next. Throws what make(index) throws, however early it ran.
  Made take(int64_t index) {
    if (next_.valid() && index_ != index) next_.wait();
    Made made = next_.valid() && index_ == index ? next_.get() : make_(index);
    index_ = index + 1;
    next_ = std::async(std::launch::async, make_, index_);
    return made;
  }

 private:
  std::function<Made(int64_t)> make_;
  int64_t index_ = 0;  ///< of next_
  std::future<Made> next_;
};

}  // namespace sst::data
