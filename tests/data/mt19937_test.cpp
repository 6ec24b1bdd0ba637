#include "data/mt19937.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>

#include "tests/support/catch.hpp"
#include "tests/support/reference_case.hpp"

using sst::data::LegacyRandom;

namespace {

std::vector<uint64_t> counting(uint64_t size) {
  std::vector<uint64_t> numbers(size);
  std::iota(numbers.begin(), numbers.end(), uint64_t{0});
  return numbers;
}

}  // namespace

TEST_CASE("shuffles and draws are NumPy's", "[data]") {
  const auto reference = sst::testing::reference_case("mt19937_shuffle");
  if (!reference) return;
  const auto& outputs = reference->at("outputs");
  LegacyRandom random(1234);
  auto first = counting(20), second = counting(7);
  random.shuffle(first);
  random.shuffle(second);
  CHECK(first == outputs.at("shuffle1").get<std::vector<uint64_t>>());
  CHECK(second == outputs.at("shuffle2").get<std::vector<uint64_t>>());
  std::vector<uint64_t> drawn;
  for (int i = 0; i < 8; ++i) drawn.push_back(random.interval(999));
  CHECK(drawn == outputs.at("randint").get<std::vector<uint64_t>>());
}

TEST_CASE("an interval of one number draws nothing and both ends of a larger one occur", "[data]") {
  LegacyRandom random(5), untouched(5);
  CHECK(random.interval(0) == 0);
  CHECK(random.interval(1000) == untouched.interval(1000));
  std::array<int, 3> seen{};
  for (int i = 0; i < 100; ++i) ++seen.at(random.interval(2));
  CHECK(seen[0] > 0);
  CHECK(seen[2] > 0);
}

TEST_CASE("an interval beyond 32 bits takes the high half first", "[data]") {
  // numpy.random.RandomState(1234): outputs 822569775, 2137449171, … ; the mask of 2^40 keeps the low 41 bits.
  LegacyRandom random(1234);
  const uint64_t drawn = random.interval(uint64_t{1} << 40);
  CHECK(drawn <= uint64_t{1} << 40);
  std::mt19937 engine(1234);
  uint64_t expected = 0;
  do {
    expected = uint64_t{engine()} << 32;
    expected = (expected | engine()) & ((uint64_t{1} << 41) - 1);
  } while (expected > uint64_t{1} << 40);
  CHECK(drawn == expected);
}

TEST_CASE("the front of a shuffle is found without the list", "[data]") {
  // Sizes around the block of 2^20 draws between two kept states.
  const uint64_t size = GENERATE(1, 2, 50, 1000, (1 << 20), (1 << 20) + 1, (1 << 20) + 2, 2'500'000);
  const uint64_t count = std::min<uint64_t>(size, GENERATE(1, 3, 700));
  CAPTURE(size, count);
  LegacyRandom whole(77), front(77);
  auto list = counting(size);
  whole.shuffle(list);
  list.resize(count);
  CHECK(front.shuffled_front(size, count) == list);
  CHECK(front.interval(1'000'000) == whole.interval(1'000'000));  // the generators stand at the same place
}

TEST_CASE("no more places than there are can be asked for", "[data]") {
  LegacyRandom random(1);
  CHECK_THROWS_AS(random.shuffled_front(3, 4), std::logic_error);
  CHECK(random.shuffled_front(0, 0).empty());
}
