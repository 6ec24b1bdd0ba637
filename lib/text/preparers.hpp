#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace sst::text {

/// The processes that prepare one folder together; all of them see the same disk, whichever machine they are on.
struct Preparers {
  int64_t rank = 0, size = 1;
  /// Called by all, returns the leader's number to all once all have come; may throw when one is lost.
  std::function<int64_t(int64_t)> from_leader = [](int64_t number) { return number; };

  bool is_leader() const { return rank == 0; }
  bool is_alone() const { return size == 1; }
  void meet() const { from_leader(0); }
};

/// The files that one of several processes tokenizes: neighbours, of about as many bytes for each process.
///   bytes    of each file, in order; the same for all processes
///   returns  [begin, end); in the order of ranks they are all files, once
std::pair<size_t, size_t> share_of_files(const std::vector<int64_t>& bytes, int64_t rank, int64_t processes);

}  // namespace sst::text
