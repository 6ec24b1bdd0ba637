#include "data/prefetch.hpp"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/catch.hpp"

namespace sst::data {

using std::chrono::milliseconds;

TEST_CASE("the next thing is made while the one before is in use", "[data]") {
  std::atomic<int> made = 0;
  Prefetch<int64_t> squares([&](int64_t index) {
    ++made;
    return index * index;
  });
  CHECK(squares.take(0) == 0);
  for (int waited = 0; made < 2 && waited < 5000; ++waited) std::this_thread::sleep_for(milliseconds(1));
  CHECK(made == 2);
}

TEST_CASE("each thing is made once, by one thread at a time, in whatever order it is asked for", "[data]") {
  std::atomic<int> at_work = 0;
  std::atomic<bool> overlaps = false;
  std::vector<int64_t> asked;
  {
    Prefetch<int64_t> squares([&](int64_t index) {
      if (++at_work > 1) overlaps = true;
      std::this_thread::sleep_for(milliseconds(2));
      asked.push_back(index);
      --at_work;
      return index * index;
    });
    for (const int64_t index : {3, 4, 5, 6, 70, 71, 2}) CHECK(squares.take(index) == index * index);
  }
  CHECK_FALSE(overlaps);
  CHECK(asked == std::vector<int64_t>{3, 4, 5, 6, 7, 70, 71, 72, 2, 3});
}

TEST_CASE("what goes wrong ahead of time is said in its turn, and never if nobody asks", "[data]") {
  std::atomic<int> calls = 0;
  {
    Prefetch<int> some([&](int64_t index) {
      ++calls;
      if (index == 2) throw std::runtime_error("no third");
      return static_cast<int>(index);
    });
    CHECK(some.take(0) == 0);
    CHECK(some.take(1) == 1);
    CHECK_THROWS_WITH(some.take(2), "no third");
    CHECK(some.take(1) == 1);
  }
  CHECK(calls == 5);
}

}  // namespace sst::data
