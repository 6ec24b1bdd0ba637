#pragma once

#include <string>
#include <vector>

#include "report/plot.hpp"
#include "report/table.hpp"

/// Which curves a page shows.
namespace sst::report {

/// Charts of one kind side by side under a heading, with one legend for all: {name, colour of the palette}.
struct Figure {
  std::string heading = {};
  std::vector<std::pair<std::string, int>> legend = {};
  std::vector<Chart> charts = {};
};

constexpr size_t kPointsOfASeed = 160;  ///< of one line, where many share a chart

/// A chart of a metric over steps, without its lines.
Chart chart_of(const std::string& id, const std::string& name);
/// A curve in the table's unit.
Curve scaled(Curve curve, const std::string& name);
/// "valid/f1" of "test/f1".
std::string valid_name(const std::string& metric);
/// What a row of the table is called in a legend.
std::string row_name(const Table& table, size_t row);

/// Loss of training and validation, the validation metric, learning rate, gradient norm; and a line for each linear map
/// where `logging.per_layer` measured them. Those that were recorded.
std::vector<Figure> run_figures(const RunRecord& run, const std::string& metric);

/// Per column of the table: training loss, validation loss and metric, a colour per row; seeds thin, the mean
/// of the finished ones thick.
std::vector<Figure> table_figures(const Table& table);

}  // namespace sst::report
