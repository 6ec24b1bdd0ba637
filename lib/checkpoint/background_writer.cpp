#include "checkpoint/background_writer.hpp"

#include <ATen/ThreadLocalState.h>

#include <chrono>
#include <exception>
#include <utility>

#include "core/clock.hpp"
#include "core/log.hpp"

namespace sst::checkpoint {

BackgroundWriter::~BackgroundWriter() {
  try {
    wait();
  } catch (const std::exception& error) {
    log::error("while saving: {}", error.what());
  }
}

void BackgroundWriter::start(std::function<void()> work) {
  wait();
  // With the thread's own state, so that the meter of its tensors sees them freed.
  in_flight_ = std::async(in_background_ ? std::launch::async : std::launch::deferred,
                          at::wrapPropagateTLSState([work = std::move(work)] {
                            const Stopwatch watch;
                            work();
                            return watch.seconds();
                          }));
  if (!in_background_) wait();
}

void BackgroundWriter::check() {
  if (in_flight_.valid() && in_flight_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) wait();
}

void BackgroundWriter::wait() {
  if (in_flight_.valid()) last_s_ = in_flight_.get();
}

}  // namespace sst::checkpoint
