#include "run/memory.hpp"

#include <torch/types.h>
#include <torch/utils.h>

#include "tests/support/catch.hpp"

namespace sst::run {

constexpr int64_t kMebibyte = 1 << 20, kFloatsInMebibyte = kMebibyte / 4;

TEST_CASE("resident memory grows with what is touched", "[run]") {
  const int64_t before = peak_resident_bytes();
  CHECK(before > kMebibyte);
  const auto touched = torch::ones({200 * kFloatsInMebibyte});
  CHECK(peak_resident_bytes() >= before);
  CHECK(peak_resident_bytes() > 200 * kMebibyte);
}

TEST_CASE("free disk space is told also for a folder that is yet to be made", "[run]") {
  CHECK(free_disk_bytes("/") > 0);
  CHECK(free_disk_bytes("/no/such/folder") > 0);
  CHECK(free_disk_bytes("not-there/at-all") > 0);
}

}  // namespace sst::run
