#pragma once

#include <chrono>
#include <cstdint>
#include <future>
#include <vector>

#include "dist/group.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::testing {

/// How long the processes of a test wait for each other.
constexpr std::chrono::seconds kPatience(20);

/// What body(group) gives on each of `size` processes, by rank. They are threads: each has a group of its own, and they talk
/// over the loopback.
template <class Body>
auto on_each(int64_t size, const Body& body, std::chrono::seconds timeout = kPatience) {
  using Result = decltype(body(std::declval<const dist::Group&>()));
  const TemporaryFolder folder;
  std::vector<std::future<Result>> results;
  for (int64_t rank = 0; rank < size; ++rank)
    results.push_back(std::async(std::launch::async, [&, rank] {
      const dist::Launch launch{.by = dist::Launch::By::kMpi,
                                .rank = rank,
                                .size = size,
                                .local_rank = rank,
                                .local_size = size,
                                .job = "test"};
      const dist::Group group(launch, {.timeout = timeout, .folder = folder.path()});
      return body(group);
    }));
  std::vector<Result> values;
  for (auto& result : results) values.push_back(result.get());
  return values;
}

}  // namespace sst::testing
