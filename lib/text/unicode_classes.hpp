#pragma once

#include <array>
#include <cstdint>

namespace sst::text {

/// What GPT-2's pattern tells apart: \p{L}, \p{N}, White_Space, and the rest. Unicode 16.0.
enum class CharClass : uint8_t { kOther, kLetter, kNumber, kSpace };

/// From here on every code point is kOther.
constexpr char32_t kFirstUnclassified = 0x323B0;
extern const std::array<CharClass, kFirstUnclassified> kCharClasses;

inline CharClass class_of(char32_t code_point) {
  return code_point < kFirstUnclassified ? kCharClasses[code_point] : CharClass::kOther;
}

}  // namespace sst::text
