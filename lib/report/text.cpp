#include <fmt/format.h>

#include <algorithm>

#include "core/terminal.hpp"
#include "report/metric_words.hpp"
#include "report/pages.hpp"
#include "report/table_grid.hpp"

namespace sst::report {

std::string facts_text(const std::vector<std::pair<std::string, std::string>>& facts) {
  size_t width = 0;
  for (const auto& [name, value] : facts) width = std::max(width, display_width(name));
  std::string text;
  for (const auto& [name, value] : facts) text += "  " + pad_right(name, width) + "  " + value + "\n";
  return text;
}

std::string run_text(const RunRecord& run) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const auto& [name, value] : run.results)
    lines.emplace_back(metric_label(name), fmt::format("{:.{}f}", value * table_scale(name), table_decimals(name)));
  for (auto& fact : run_facts(run)) lines.push_back(std::move(fact));
  return facts_text(lines);
}

}  // namespace sst::report
