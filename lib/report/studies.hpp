#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/table.hpp"

/// What the runs of a table say about training beside its results, as the SST paper's figures 2 and 4 ask it.
namespace sst::report {

/// Pearson's correlation over the steps that both curves have, finite in both; nothing for fewer than three, or where one
/// of them does not vary.
std::optional<double> correlation(const Curve& a, const Curve& b);

/// The runs of a cell beside those of its reference: of the same seed, else its first.
std::vector<std::pair<const RunRecord*, const RunRecord*>> paired_runs(const Table& table, const TableCell& cell,
                                                                       const TableCell& reference);

/// The reference that a row of a column is compared with (TableSpec::compare_to): the first that agrees in the row's other
/// keys, as far as it has them. Null where there is none.
const TableCell* reference_cell(const Table& table, size_t row, size_t column);

/// Correlation of a measure of each layer ("grad_norm", "update_norm") with the same layer of the reference, in the order of
/// the layers' names; a mean over pairs of runs.
struct LayerCorrelation {
  std::string layer;
  double value = 0;
};
std::vector<LayerCorrelation> layer_correlations(const Table& table, size_t row, size_t column,
                                                 const std::string& measure);

/// Sentences, of rows whose layers were measured: how each row's gradient norm, and layer by layer gradients and updates, go with the reference's (figure 2);
/// and what the reference had reached at the row's last effective step, steps times trainable parameters (figure 4).
std::vector<std::string> study_notes(const Table& table);

}  // namespace sst::report
