#include "optim/rate_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/number.hpp"

namespace sst::optim {

namespace {

template <class Number>
Number number(const std::string& word, const std::string& place) {
  const auto value = number_from<Number>(word);
  if (!value) throw DataError(fmt::format("{}: '{}' is not a number", place, word), "lines are 'rate' or 'step rate'");
  return *value;
}

double read_rate(const std::string& word, const std::string& place) {
  const auto rate = number<double>(word, place);
  if (!std::isfinite(rate) || rate < 0) throw DataError(fmt::format("{}: a learning rate cannot be {}", place, word));
  return rate;
}

std::vector<std::string> words_of(std::string line) {
  line = line.substr(0, line.find('#'));
  std::replace(line.begin(), line.end(), ',', ' ');
  std::istringstream stream(line);
  return {std::istream_iterator<std::string>(stream), {}};
}

}  // namespace

RateTable::RateTable(const std::filesystem::path& path, int64_t total_steps) {
  std::istringstream lines(read_file(path));
  size_t columns = 0;
  int64_t line_number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string place = fmt::format("{}:{}", path.string(), ++line_number);
    const auto words = words_of(line);
    if (words.empty()) continue;
    if (columns == 0) columns = words.size();
    if (words.size() != columns || columns > 2)
      throw DataError(fmt::format("{}: {} columns", place, words.size()),
                      "all lines are 'rate' or all are 'step rate'");
    const int64_t step = columns == 1 ? static_cast<int64_t>(steps_.size()) : number<int64_t>(words[0], place);
    if (steps_.empty() ? step != 0 : step <= steps_.back())
      throw DataError(fmt::format("{}: step {} is out of order", place, step), "steps start at 0 and ascend");
    steps_.push_back(step);
    rates_.push_back(read_rate(words.back(), place));
  }
  if (rates_.empty()) throw DataError(fmt::format("{}: no rates in it", path.string()));
  if (columns == 1 && static_cast<int64_t>(rates_.size()) < total_steps)
    throw DataError(fmt::format("{}: {} rates for {} steps", path.string(), rates_.size(), total_steps),
                    "give one line per step, or the form 'step rate', where a rate holds until the next line");
}

double RateTable::rate(int64_t step) const {
  const auto next = std::upper_bound(steps_.begin(), steps_.end(), step);
  return rates_[static_cast<size_t>(next - steps_.begin()) - 1];
}

}  // namespace sst::optim
