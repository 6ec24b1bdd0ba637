#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Line charts for a page, drawn by gnuplot where the machine has it.
namespace sst::report {

/// A point of a curve; a value that is not finite breaks the line.
struct CurvePoint {
  int64_t step = 0;
  double value = 0;
};
using Curve = std::vector<CurvePoint>;

struct Line {
  std::string name = {};  ///< in the legend; empty: not listed
  Curve points = {};
  int color = 0;       ///< index of the page's palette, from 0; lines of one colour belong together
  bool thin = false;   ///< one seed behind a mean: thin and pale
  double x_scale = 1;  ///< what one step is on the axis
};

struct Chart {
  std::string id = {};                     ///< prefix of every id inside, so that several charts share one page
  std::string title = {};                  ///< read out by screen readers; the page prints its own heading
  std::string x_label = {}, y_label = {};  ///< with units: "validation F1 (%)"
  bool log_y = false;
  bool legend = true;
  std::vector<Line> lines = {};
};

/// Colours the page's CSS must define as --line-0 … : chart lines say `var(--line-3)` and so follow its light
/// and dark mode; ink and grid follow the text colour.
constexpr int kPaletteSize = 8;

/// An `<svg class="chart">` element to stand inside an HTML page: no prolog, no width, no links. Nothing
/// where gnuplot is not on PATH, fails, or takes longer than twenty seconds; a debug line says which.
std::optional<std::string> svg_chart(const Chart& chart);

/// At most `most` points, each the mean of a run of neighbours at the step of the last of them. A run that
/// holds a value that is not finite stays not finite, so that the break is seen.
Curve thinned(const Curve& curve, size_t most);

/// The mean of several curves at the steps they all share, so that it never jumps because one of them ended.
Curve mean_curve(const std::vector<Curve>& curves);

}  // namespace sst::report
