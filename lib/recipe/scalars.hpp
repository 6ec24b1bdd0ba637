#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "recipe/words.hpp"

/// The written forms of numbers, times, sizes and intervals, and their canonical spelling. One text has one
/// meaning here whatever YAML thinks of it.
namespace sst::recipe {

/// A value, or why the text is none and what to write instead.
template <class T>
struct Parsed {
  std::optional<T> value;
  std::string hint;  ///< only where there is no value; may be empty
};

/// 10240, 10_240, 10K, 2M, 10B (powers of ten), 1.5K, 1e4; a result with a fraction is none.
Parsed<int64_t> parse_integer(std::string_view text);
/// Decimal or scientific, 10_240.5 too; no inf, nan, fractions or suffixes.
Parsed<double> parse_number(std::string_view text);
/// true, false.
Parsed<bool> parse_boolean(std::string_view text);
/// 90s, 30min, 4h, 2d, 1h30min; larger units first.
Parsed<Duration> parse_duration(std::string_view text);
/// 512MiB, 8GiB; B, KiB and TiB too.
Parsed<Bytes> parse_bytes(std::string_view text);
/// 500, 500step, 2epoch, 50Mtoken, 30min, off.
Parsed<Interval> parse_interval(std::string_view text);

/// For flags: throws UserError naming `what` ("--max-time").
Duration parse_duration(std::string_view text, const std::string& what);
Bytes parse_bytes(std::string_view text, const std::string& what);

std::string format_number(double value);  ///< shortest text that reads back as the same double
std::string format_duration(Duration duration);
std::string format_bytes(Bytes bytes);
std::string format_interval(Interval interval);

}  // namespace sst::recipe
