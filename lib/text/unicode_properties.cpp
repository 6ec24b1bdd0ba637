#include "text/unicode_properties.hpp"

#include <algorithm>
#include <span>

namespace sst::text {
namespace {

namespace properties {

struct CodePoints {
  char32_t first, last;
};

struct LowerRun {
  char32_t first, last, step;
  int32_t distance;
};

#include "text/unicode_properties.inc"

}  // namespace properties

constexpr char32_t kCapitalDottedI = 0x130, kCapitalSigma = 0x3A3, kSmallSigma = 0x3C3, kFinalSigma = 0x3C2;

template <class Range>
const Range* range_of(std::span<const Range> ranges, char32_t code_point) {
  const auto after =
      std::partition_point(ranges.begin(), ranges.end(), [&](const Range& range) { return range.last < code_point; });
  return after != ranges.end() && after->first <= code_point ? &*after : nullptr;
}

bool is_in(std::span<const properties::CodePoints> ranges, char32_t code_point) {
  return range_of(ranges, code_point) != nullptr;
}

char32_t lower_of(char32_t code_point) {
  if (code_point < 0x80) return code_point >= 'A' && code_point <= 'Z' ? code_point + ('a' - 'A') : code_point;
  const auto* run = range_of(std::span<const properties::LowerRun>(properties::kLowerRuns), code_point);
  if (run == nullptr || (code_point - run->first) % run->step != 0) return code_point;
  return static_cast<char32_t>(static_cast<int32_t>(code_point) + run->distance);
}

char32_t code_point_before(const char*& at) {
  do --at;
  while ((static_cast<unsigned char>(*at) & 0xC0) == 0x80);
  const char* reader = at;
  return next_code_point(reader);
}

/// Unicode's Final_Sigma: a cased letter before it and none after it, whatever case-ignorable stands between.
bool ends_word(std::string_view text, const char* sigma, const char* after) {
  for (const char* at = sigma;;) {
    if (at == text.data()) return false;
    const char32_t before = code_point_before(at);
    if (is_in(properties::kCaseIgnorableRanges, before)) continue;
    if (!is_in(properties::kCasedRanges, before)) return false;
    break;
  }
  for (const char* at = after; at != text.data() + text.size();) {
    const char32_t next = next_code_point(at);
    if (!is_in(properties::kCaseIgnorableRanges, next)) return !is_in(properties::kCasedRanges, next);
  }
  return true;
}

}  // namespace

bool is_punctuation(char32_t code_point) { return is_in(properties::kPunctuationRanges, code_point); }

bool is_symbol(char32_t code_point) { return is_in(properties::kSymbolRanges, code_point); }

std::string to_lower(std::string_view text) {
  std::string lower;
  lower.reserve(text.size() + 1);
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    const char* const start = at;
    const char32_t code_point = next_code_point(at);
    if (code_point == kCapitalSigma) {
      append_utf8(ends_word(text, start, at) ? kFinalSigma : kSmallSigma, lower);
    } else if (code_point == kCapitalDottedI) {
      lower += "i\u0307";
    } else {
      append_utf8(lower_of(code_point), lower);
    }
  }
  return lower;
}

std::string_view without_trailing_space(std::string_view text) {
  const char* end = text.data() + text.size();
  for (const char* at = end; at != text.data(); end = at)
    if (!is_space(code_point_before(at))) break;
  return {text.data(), static_cast<size_t>(end - text.data())};
}

}  // namespace sst::text
