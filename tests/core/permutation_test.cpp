#include "core/permutation.hpp"

#include <vector>

#include "tests/support/catch.hpp"

using sst::CounterRng;
using sst::Permutation;
using sst::Stream;

TEST_CASE("a permutation reaches every number once, whatever the size", "[core]") {
  for (const int64_t size : {1, 2, 3, 4, 5, 7, 16, 17, 63, 64, 65, 1000, 4096, 4097, 65537}) {
    for (const uint64_t epoch : {0, 1}) {
      CAPTURE(size, epoch);
      const Permutation order(size, CounterRng(9, Stream::kDataOrder, epoch));
      std::vector<bool> seen(static_cast<size_t>(size), false);
      for (int64_t i = 0; i < size; ++i) {
        const int64_t value = order(i);
        if (value < 0 || value >= size || seen[static_cast<size_t>(value)]) FAIL("not a permutation at " << i);
        seen[static_cast<size_t>(value)] = true;
      }
    }
  }
}

TEST_CASE("a permutation mixes: neighbours land anywhere, and few numbers stay", "[core]") {
  constexpr int64_t kSize = 100'003;
  const Permutation order(kSize, CounterRng(1, Stream::kDataOrder, 5));
  double sum = 0, square_sum = 0;
  int64_t unmoved = 0;
  for (int64_t i = 0; i + 1 < kSize; ++i) {
    const double step = static_cast<double>(order(i + 1) - order(i)) / kSize;
    sum += std::abs(step);
    square_sum += step * step;
    unmoved += order(i) == i ? 1 : 0;
  }
  // Two uniform numbers differ by 1/3 on average, and their squared difference is 1/6; bounds are five standard errors.
  CHECK(sum / kSize == Approx(1.0 / 3).margin(5 * 0.24 / 316));
  CHECK(square_sum / kSize == Approx(1.0 / 6).margin(5 * 0.2 / 316));
  CHECK(unmoved < 8);
}

TEST_CASE("a permutation depends on seed and epoch", "[core]") {
  const auto first = [](uint64_t seed, uint64_t epoch) {
    const Permutation order(1000, CounterRng(seed, Stream::kDataOrder, epoch));
    return std::vector<int64_t>{order(0), order(1), order(2), order(3)};
  };
  CHECK(first(1, 0) == first(1, 0));
  CHECK(first(1, 0) != first(2, 0));
  CHECK(first(1, 0) != first(1, 1));
}

TEST_CASE("a permutation of astronomically many numbers costs nothing to make", "[core]") {
  constexpr int64_t kSize = (int64_t{1} << 62) + 12345;
  const Permutation order(kSize, CounterRng(3, Stream::kDataOrder));
  for (int64_t i = 0; i < 1000; ++i) {
    const int64_t value = order(kSize - 1 - i);
    if (value < 0 || value >= kSize) FAIL("outside");
  }
}
