#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace sst::optim {

/// Learning rates from a text file. Either one rate per line, line n for step n − 1; or two columns "step
/// rate", a rate holding until the next step that is listed. Spaces, tabs or a comma separate columns; `#`
/// starts a comment.
class RateTable {
 public:
  /// Throws DataError with file and line: not a number, a negative rate, mixed forms, steps that do not
  /// ascend from 0, fewer rates than `total_steps` (when that is not 0) in the one-column form.
  RateTable(const std::filesystem::path& path, int64_t total_steps);

  double rate(int64_t step) const;

 private:
  std::vector<int64_t> steps_;  // ascending, from 0
  std::vector<double> rates_;
};

}  // namespace sst::optim
