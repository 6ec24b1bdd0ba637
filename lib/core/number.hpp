#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace sst {

/// The number that all of `text` is, in plain digits; nothing where it is anything else or does not fit.
template <class Number>
std::optional<Number> number_from(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace sst
