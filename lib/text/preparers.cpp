#include "text/preparers.hpp"

#include <numeric>

namespace sst::text {

std::pair<size_t, size_t> share_of_files(const std::vector<int64_t>& bytes, int64_t rank, int64_t processes) {
  const auto total = static_cast<double>(std::accumulate(bytes.begin(), bytes.end(), int64_t{0}));
  // A file belongs to the process in whose equal share of all bytes its middle lies.
  const auto first_of = [&](int64_t process) {
    const double limit = total * static_cast<double>(process) / static_cast<double>(processes);
    double before = 0;
    size_t file = 0;
    while (file < bytes.size() && before + static_cast<double>(bytes[file]) / 2 < limit)
      before += static_cast<double>(bytes[file++]);
    return process == processes ? bytes.size() : file;
  };
  return {first_of(rank), first_of(rank + 1)};
}

}  // namespace sst::text
