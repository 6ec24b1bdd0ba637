#include "text/unicode_classes.hpp"

#include <span>

namespace sst::text {
namespace {

struct CodePoints {
  char32_t first, last;
};

#include "text/unicode_ranges.inc"

using ClassTable = std::array<CharClass, kFirstUnclassified>;

constexpr void mark(ClassTable& table, std::span<const CodePoints> ranges, CharClass kind) {
  for (const CodePoints& range : ranges)
    for (char32_t code_point = range.first; code_point <= range.last; ++code_point) table[code_point] = kind;
}

constexpr ClassTable class_table() {
  ClassTable table{};
  mark(table, kLetterRanges, CharClass::kLetter);
  mark(table, kNumberRanges, CharClass::kNumber);
  mark(table, kSpaceRanges, CharClass::kSpace);
  return table;
}

}  // namespace

constinit const ClassTable kCharClasses = class_table();

}  // namespace sst::text
