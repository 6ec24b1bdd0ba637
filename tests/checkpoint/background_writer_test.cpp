#include "checkpoint/background_writer.hpp"

#include <atomic>
#include <chrono>
#include <thread>

#include "core/error.hpp"
#include "tests/support/catch.hpp"

namespace sst::checkpoint {

TEST_CASE("work is done once, one piece at a time and in order", "[run]") {
  const bool in_background = GENERATE(true, false);
  BackgroundWriter writer(in_background);
  std::atomic<int> running = 0, done = 0;
  bool overlapped = false;
  for (int i = 0; i < 20; ++i)
    writer.start([&, i] {
      overlapped = overlapped || ++running > 1 || done != i;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ++done;
      --running;
    });
  writer.wait();
  CHECK(done == 20);
  CHECK_FALSE(overlapped);
  CHECK(writer.last_s() > 0);
}

TEST_CASE("the caller goes on while the work is in flight", "[run]") {
  BackgroundWriter writer(true);
  std::promise<void> go_on;
  writer.start([&] { go_on.get_future().wait(); });
  writer.check();  // neither waits nor throws
  go_on.set_value();
  writer.wait();
}

TEST_CASE("what the work threw is thrown by the next call, as it was and once", "[run]") {
  BackgroundWriter writer(true);
  const auto fail = [] { throw ResourceError("the disk is full"); };
  writer.start(fail);
  CHECK_THROWS_AS(writer.wait(), ResourceError);
  CHECK_NOTHROW(writer.wait());
  writer.start(fail);
  CHECK_THROWS_AS(writer.start([] {}), ResourceError);
  writer.start(fail);
  CHECK_THROWS_AS(
      [&] {
        for (;;) writer.check();
      }(),
      ResourceError);
  writer.start(fail);  // the destructor logs
}

}  // namespace sst::checkpoint
