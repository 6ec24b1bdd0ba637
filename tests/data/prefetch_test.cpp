#include "data/prefetch.hpp"

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "tests/support/catch.hpp"

namespace sst::data {

TEST_CASE("the next thing is made while the one before is in use, each once, by one thread at a time", "[data]") {
  std::mutex at_work;
  std::vector<int64_t> asked;
  {
    Prefetch<int64_t> squares([&](int64_t index) {
      REQUIRE(at_work.try_lock());
      asked.push_back(index);
      at_work.unlock();
      return index * index;
    });
    for (int64_t index = 3; index < 50; ++index) CHECK(squares.take(index) == index * index);
    CHECK(squares.take(70) == 4900);  // others than the next may be asked for
    CHECK(squares.take(71) == 5041);
    CHECK(squares.take(2) == 4);
  }
  std::vector<int64_t> expected;
  for (int64_t index = 3; index <= 50; ++index) expected.push_back(index);
  for (const int64_t index : {70, 71, 72, 2, 3}) expected.push_back(index);
  CHECK(asked == expected);
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
