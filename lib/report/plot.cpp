#include "report/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <regex>

#include "core/error.hpp"
#include "core/log.hpp"
#include "report/gnuplot.hpp"

namespace sst::report {
namespace {

/// Colours that only mark a role in gnuplot's output; `restyled` puts the page's own in their place.
constexpr int kInkMark = 1, kGridMark = 2, kFirstLineMark = 16;
std::string mark(int role) { return fmt::format("'#0101{:02x}'", role); }

/// A single-quoted gnuplot string: nothing in it is expanded, and control characters are blanks.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "'";
}

std::string data_block(size_t number, const Line& line) {
  std::string block = fmt::format("$line{} << END_OF_DATA\n", number);
  for (const auto& [step, value] : line.points)
    block += std::isfinite(value) ? fmt::format("{:.8g} {:.6g}\n", line.x_scale * static_cast<double>(step), value)
                                  : "\n";  // an empty line lifts the pen
  return block + "END_OF_DATA\n";
}

size_t finite_points(const Curve& points) {
  return static_cast<size_t>(
      std::count_if(points.begin(), points.end(), [](const CurvePoint& p) { return std::isfinite(p.value); }));
}

/// The values with a little air; never below zero for what is never below zero.
std::string value_range(const Chart& chart) {
  double least = std::numeric_limits<double>::infinity(), most = -least;
  for (const Line& line : chart.lines) {
    for (const auto& point : line.points) {
      if (!std::isfinite(point.value)) continue;
      least = std::min(least, point.value);
      most = std::max(most, point.value);
    }
  }
  if (chart.log_y || least > most) return "";
  const double air = most > least ? 0.04 * (most - least) : std::max(std::abs(most), 1.0) * 0.1;
  const double bottom = least >= 0 ? std::max(0.0, least - air) : least - air;
  return fmt::format("set yrange [{:.6g}:{:.6g}]\n", bottom, most + air);
}

std::string script(const Chart& chart) {
  std::string text =
      "set terminal svg size 560,340 font 'Helvetica,14' noenhanced linewidth 1\n"
      "set encoding utf8\nset samples 2\nset rmargin 2.5\nset bmargin 3.2\n";
  text += value_range(chart);
  if (!chart.legend) text += "set tmargin 0.7\n";
  text += fmt::format("set border 3 lc rgb {0} lw 0.8\nset tics nomirror out scale 0.6 textcolor rgb {0}\n",
                      mark(kInkMark));
  text += fmt::format("set grid lc rgb {} lt 1 lw 0.8\n", mark(kGridMark));
  text += fmt::format("set xlabel {} textcolor rgb {} offset 0,0.3\n", quoted(chart.x_label), mark(kInkMark));
  text += fmt::format("set ylabel {} textcolor rgb {} offset 0.5,0\n", quoted(chart.y_label), mark(kInkMark));
  text += "set format y '%.4g'\nset xtics autofreq\n";
  if (chart.log_y) text += "set logscale y\n";
  text += chart.legend
              ? fmt::format("set key outside top center horizontal textcolor rgb {} samplen 2\n", mark(kInkMark))
              : "unset key\n";
  std::string plot;
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    const Line& line = chart.lines[i];
    const size_t points = finite_points(line.points);
    if (points == 0) continue;
    text += data_block(i, line);
    plot += plot.empty() ? "plot " : ", \\\n     ";
    plot += fmt::format("$line{} using 1:2 with {} lc rgb {} {}", i, points == 1 ? "points pt 7 ps 0.5" : "lines",
                        mark(kFirstLineMark + 2 * (line.color % kPaletteSize) + (line.thin ? 1 : 0)),
                        line.thin     ? "lw 1 "
                        : points == 1 ? ""
                                      : "lw 2 ");
    plot += line.name.empty() ? "notitle" : "title " + quoted(line.name);
  }
  return plot.empty() ? "" : text + plot + "\n";
}

/// What stands in place of a marked colour: `attribute` is stroke, fill or color.
std::string style_of(const std::string& attribute, int role) {
  if (role == kInkMark) return attribute + "=\"currentColor\"";
  if (role == kGridMark) return attribute + "=\"currentColor\" stroke-opacity=\"0.14\"";
  const int index = (role - kFirstLineMark) / 2;
  const bool is_thin = (role - kFirstLineMark) % 2 == 1;
  return fmt::format("style=\"{}:var(--line-{}){}\"", attribute, index, is_thin ? ";opacity:.35" : "");
}

std::string restyled(const std::string& svg) {
  static const std::regex kMarked("(stroke|fill|color)=['\"]rgb\\( *1, *1, *([0-9]+)\\)['\"]");
  std::string out;
  auto rest = svg.begin();
  for (std::sregex_iterator match(svg.begin(), svg.end(), kMarked), end; match != end; ++match) {
    out.append(rest, svg.begin() + match->position());
    out += style_of((*match)[1], std::stoi((*match)[2]));
    rest = svg.begin() + match->position() + match->length();
  }
  return out.append(rest, svg.end());
}

/// gnuplot's document → an element of a page. gnuplot writes for standalone files and with much that draws
/// nothing.
std::string embedded(std::string svg, const Chart& chart) {
  const size_t canvas = svg.find("<g id=\"gnuplot_canvas\"");
  if (canvas == std::string::npos) return {};
  svg.erase(0, canvas);
  const auto replace = [&](const char* pattern, const std::string& with) {
    svg = std::regex_replace(svg, std::regex(pattern), with);
  };
  if (svg.find("<use") != std::string::npos && svg.find("#gpPt6' transform") != std::string::npos)
    replace("<filter[^>]*>[^]*?</filter>", "");
  else
    svg.erase(svg.find("<defs>"), svg.find("</defs>") + 7 - svg.find("<defs>"));
  svg = restyled(svg);
  replace("<title>[^<]*</title>", "");
  replace(" (color=\"(black|white|gray)\"|font-family=\"[^\"]*\"|stroke-linecap=\"butt\"|class=\"gridline\")", "");
  replace("(stroke|fill)=\"black\"", "$1=\"currentColor\"");
  replace("<g fill=\"none\"[^>]*>\\s*</g>", "");
  replace("stroke-linejoin=\"miter\"", "stroke-linejoin=\"round\"");
  replace("(<text>) +", "$1");
  replace("id=(['\"])", "id=$1" + chart.id + "-");
  replace("href='#", "href='#" + chart.id + "-");
  replace("\\s*\\n\\s*", "\n");
  std::string label;
  for (const char c : chart.title) label += c == '"' || c == '<' || c == '>' || c == '&' ? ' ' : c;
  return "<svg class=\"chart\" viewBox=\"0 0 560 340\" role=\"img\" aria-label=\"" + label + "\">\n" + svg;
}

}  // namespace

std::optional<std::string> svg_chart(const Chart& chart) {
  const std::string commands = script(chart);
  if (commands.empty()) return {};
  const auto drawn = run_gnuplot(commands);
  if (!drawn) return {};
  std::string svg = embedded(*drawn, chart);
  if (!svg.empty()) return svg;
  log::debug("gnuplot drew no chart for '{}'", chart.title);
  return {};
}

Curve thinned(const Curve& curve, size_t most) {
  require(most > 0, "a curve of no points");
  if (curve.size() <= most) return curve;
  Curve out;
  for (size_t i = 0; i < most; ++i) {
    const size_t first = i * curve.size() / most, last = (i + 1) * curve.size() / most;
    double sum = 0;
    for (size_t j = first; j < last; ++j) sum += curve[j].value;
    out.push_back({curve[last - 1].step, sum / static_cast<double>(last - first)});
  }
  return out;
}

Curve mean_curve(const std::vector<Curve>& curves) {
  std::map<int64_t, std::pair<double, size_t>> sums;
  for (const Curve& curve : curves) {
    for (const auto& [step, value] : curve) {
      sums[step].first += value;
      ++sums[step].second;
    }
  }
  Curve mean;
  for (const auto& [step, sum] : sums)
    if (sum.second == curves.size()) mean.push_back({step, sum.first / static_cast<double>(sum.second)});
  return mean;
}

}  // namespace sst::report
