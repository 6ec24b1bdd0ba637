#include "recipe/scalars.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace sst::recipe {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

/// The parts of [+-]digits[.digits][(e|E)[+-]digits]suffix with the underscores between digits taken out.
struct DecimalText {
  bool negative = false;
  std::string whole, fraction;
  int64_t exponent = 0;
  std::string_view suffix;
};

/// Takes digits, with single underscores between them.
bool take_digits(std::string_view& rest, std::string& digits) {
  while (!rest.empty()) {
    const bool underscore = rest[0] == '_' && !digits.empty() && rest.size() > 1 && is_digit(rest[1]);
    if (!is_digit(rest[0]) && !underscore) return true;
    if (!underscore) digits += rest[0];
    rest.remove_prefix(1);
  }
  return true;
}

std::optional<DecimalText> split_decimal(std::string_view text) {
  DecimalText parts;
  std::string_view rest = text;
  if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
    parts.negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  take_digits(rest, parts.whole);
  if (!rest.empty() && rest[0] == '.') {
    rest.remove_prefix(1);
    take_digits(rest, parts.fraction);
  }
  if (parts.whole.empty() && parts.fraction.empty()) return std::nullopt;
  if (!rest.empty() && (rest[0] == 'e' || rest[0] == 'E')) {
    std::string_view after = rest.substr(1);
    const bool negative = !after.empty() && after[0] == '-';
    if (!after.empty() && (after[0] == '+' || after[0] == '-')) after.remove_prefix(1);
    std::string digits;
    take_digits(after, digits);
    if (!digits.empty()) {  // otherwise the letter belongs to a unit such as "epoch"
      if (digits.size() > 6) return std::nullopt;
      parts.exponent = std::stoll(digits) * (negative ? -1 : 1);
      rest = after;
    }
  }
  parts.suffix = rest;
  return parts;
}

/// Takes "10_240", "10K", "1.5M", "1e4" from the front of `rest`; what follows stays in `rest`. Exact: no
/// double between.
Parsed<int64_t> take_integer(std::string_view& rest) {
  const auto parts = split_decimal(rest);
  if (!parts) return {{}, ""};
  int64_t exponent = parts->exponent;
  std::string_view after = parts->suffix;
  constexpr std::array<std::pair<char, int>, 3> kSuffixes = {{{'K', 3}, {'M', 6}, {'B', 9}}};
  for (const auto& [letter, power] : kSuffixes) {
    const bool unit_of_size = after.size() > 1 && after[1] == 'i';  // KiB is no K
    if (!after.empty() && after[0] == letter && !unit_of_size) {
      exponent += power;
      after.remove_prefix(1);
      break;
    }
  }
  if (parts->whole.size() > 1 && parts->whole[0] == '0')
    return {{}, "a leading zero is ambiguous; write the number without it"};
  std::string digits = parts->whole + parts->fraction;
  exponent -= static_cast<int64_t>(parts->fraction.size());
  while (exponent < 0 && !digits.empty() && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (exponent < 0 && !digits.empty()) return {{}, "a fraction is not allowed here"};
  if (static_cast<int64_t>(digits.size()) + (digits.empty() ? 0 : exponent) > 18)
    return {{}, "the number is too large"};
  if (!digits.empty()) digits.append(static_cast<size_t>(exponent), '0');
  const int64_t value = digits.empty() ? 0 : std::stoll(digits);
  rest = after;
  return {parts->negative ? -value : value, ""};
}

Parsed<double> number_hint(std::string_view text) {
  const std::string word = lower(text);
  for (const std::string_view not_finite : {"inf", "nan", "infinity"}) {
    const size_t at = word.find_first_not_of("+-.");
    if (at != std::string::npos && word.substr(at) == not_finite) return {{}, "a finite number is needed"};
  }
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto above = parse_number(text.substr(0, slash)), below = parse_number(text.substr(slash + 1));
    if (above.value && below.value && *below.value != 0)
      return {{}, fmt::format("fractions are not read; write {:.6g}", *above.value / *below.value)};
  }
  if (text.find(',') != std::string_view::npos) return {{}, "write a decimal point, and '_' between thousands"};
  if (const auto parts = split_decimal(text); parts && parts->suffix == "%")
    return {{}, "per cent are not read; write the share, such as 0.1"};
  if (parse_integer(text).value) return {{}, fmt::format("write {}", *parse_integer(text).value)};
  return {{}, ""};
}

}  // namespace

Parsed<int64_t> parse_integer(std::string_view text) {
  std::string_view rest = text;
  auto parsed = take_integer(rest);
  if (!parsed.value || rest.empty()) return parsed;
  if (rest == "k" || rest == "m" || rest == "b" || rest == "G" || rest == "g")
    return {{}, "the suffixes are K, M and B (powers of ten)"};
  if (text.find(',') != std::string_view::npos) return {{}, "write '_' between thousands: 10_240"};
  return {{}, ""};
}

Parsed<double> parse_number(std::string_view text) {
  const auto parts = split_decimal(text);
  if (!parts || !parts->suffix.empty()) return number_hint(text);
  std::string plain = (parts->negative ? "-" : "") + (parts->whole.empty() ? "0" : parts->whole);
  if (!parts->fraction.empty()) plain += "." + parts->fraction;
  plain += "e" + std::to_string(parts->exponent);
  double value = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (error != std::errc() || end != plain.data() + plain.size())
    return {{}, "the number is outside what a double holds"};
  return {value, ""};
}

Parsed<bool> parse_boolean(std::string_view text) {
  if (text == "true") return {true, ""};
  if (text == "false") return {false, ""};
  const std::string word = lower(text);
  if (word == "yes" || word == "on" || word == "y" || word == "1" || word == "true") return {{}, "write true"};
  if (word == "no" || word == "off" || word == "n" || word == "0" || word == "false") return {{}, "write false"};
  return {{}, ""};
}

Parsed<Duration> parse_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, int64_t>, 4> kUnits = {
      {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}}};
  const std::string hint = "write a time such as 90s, 30min, 4h, 2d or 1h30min";
  int64_t seconds = 0;
  int64_t last_unit = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    size_t digits = 0;
    while (digits < rest.size() && is_digit(rest[digits])) ++digits;
    if (digits == 0 || digits > 12) return {{}, hint};
    const int64_t count = std::stoll(std::string(rest.substr(0, digits)));
    rest.remove_prefix(digits);
    size_t letters = 0;
    while (letters < rest.size() && !is_digit(rest[letters])) ++letters;
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                   [&](const auto& known) { return known.first == rest.substr(0, letters); });
    if (unit == kUnits.end() || (last_unit != 0 && unit->second >= last_unit)) return {{}, hint};
    last_unit = unit->second;
    seconds += count * unit->second;
    rest.remove_prefix(letters);
  }
  if (text.empty()) return {{}, hint};
  return {Duration{seconds}, ""};
}

Parsed<Bytes> parse_bytes(std::string_view text) {
  std::string_view rest = text;
  const auto count = take_integer(rest);
  constexpr std::array<std::pair<std::string_view, int>, 5> kUnits = {
      {{"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}}};
  // "10B" was taken as ten to the ninth; here B is the unit.
  size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  if (digits > 0 && digits < 18 && text.substr(digits) == "B")
    return {Bytes{std::stoll(std::string(text.substr(0, digits)))}, ""};
  for (const auto& [unit, power] : kUnits) {
    if (!count.value || rest != unit || power == 0) continue;
    if (*count.value < 0 || *count.value > (int64_t{1} << (62 - power))) return {{}, "the size is too large"};
    return {Bytes{*count.value << power}, ""};
  }
  for (const std::string_view decimal : {"KB", "MB", "GB", "TB", "K", "M", "G", "T"})
    if (ends_with(text, decimal) && digits > 0 && digits + decimal.size() == text.size())
      return {{}, fmt::format("sizes are powers of two here; write {}{}iB", text.substr(0, digits), decimal[0])};
  return {{}, "write a size such as 512MiB or 8GiB"};
}

Parsed<Interval> parse_interval(std::string_view text) {
  const std::string hint = "write 500 or 500step, 2epoch, 50Mtoken, 30min, or off";
  if (text == "off") return {Interval::off(), ""};
  std::string_view rest = text;
  const auto count = take_integer(rest);
  constexpr std::array<std::pair<std::string_view, Interval::Unit>, 4> kUnits = {{{"", Interval::Unit::kStep},
                                                                                  {"step", Interval::Unit::kStep},
                                                                                  {"epoch", Interval::Unit::kEpoch},
                                                                                  {"token", Interval::Unit::kToken}}};
  for (const auto& [unit, meaning] : kUnits) {
    if (!count.value || rest != unit) continue;
    if (*count.value <= 0) return {{}, *count.value == 0 ? "write off to disable" : hint};
    return {Interval{meaning, *count.value}, ""};
  }
  const auto duration = parse_duration(text);
  if (!duration.value) return {{}, count.value || count.hint.empty() ? hint : count.hint};
  if (duration.value->seconds == 0) return {{}, "write off to disable"};
  return {Interval{Interval::Unit::kSecond, duration.value->seconds}, ""};
}

Duration parse_duration(std::string_view text, const std::string& what) {
  const auto parsed = parse_duration(text);
  if (!parsed.value) throw UserError(fmt::format("{} is '{}' but must be a time", what, text), parsed.hint);
  return *parsed.value;
}

Bytes parse_bytes(std::string_view text, const std::string& what) {
  const auto parsed = parse_bytes(text);
  if (!parsed.value) throw UserError(fmt::format("{} is '{}' but must be a size", what, text), parsed.hint);
  return *parsed.value;
}

std::string format_number(double value) { return fmt::format("{}", value); }

std::string format_duration(Duration duration) {
  std::string text;
  int64_t rest = duration.seconds;
  for (const auto& [unit, seconds] :
       {std::pair{"d", int64_t{86400}}, {"h", int64_t{3600}}, {"min", int64_t{60}}, {"s", int64_t{1}}}) {
    if (rest >= seconds) text += fmt::format("{}{}", rest / seconds, unit);
    rest %= seconds;
  }
  return text.empty() ? "0s" : text;
}

std::string format_bytes(Bytes bytes) {
  for (const auto& [unit, power] : {std::pair{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}) {
    const int64_t size = int64_t{1} << power;
    if (bytes.bytes >= size && bytes.bytes % size == 0) return fmt::format("{}{}", bytes.bytes / size, unit);
  }
  return fmt::format("{}B", bytes.bytes);
}

std::string format_interval(Interval interval) {
  switch (interval.unit) {
    case Interval::Unit::kOff:
      return "off";
    case Interval::Unit::kStep:
      return std::to_string(interval.count);
    case Interval::Unit::kEpoch:
      return fmt::format("{}epoch", interval.count);
    case Interval::Unit::kToken:
      return fmt::format("{}token", interval.count);
    default:
      return format_duration({interval.count});
  }
}

}  // namespace sst::recipe
