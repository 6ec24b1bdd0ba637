#pragma once

#include <vector>

#include "report/charts.hpp"

/// The figures of a page that come from `logging.per_layer` and from `sst-train prune`.
namespace sst::report {

/// Of one run: norms of every layer, singular values over training, and the pruning curve; those that were recorded.
std::vector<Figure> run_study_figures(const RunRecord& run, const std::string& metric);

/// Of a column of a table, a colour per row: the metric over effective steps where rows train different numbers of
/// parameters (figure 4 of the SST paper), the layers beside those of the reference (figure 2), the last singular values
/// (figure 8), and pruning curves (figure 5); those that were recorded.
std::vector<Figure> table_study_figures(const Table& table, size_t column);

}  // namespace sst::report
