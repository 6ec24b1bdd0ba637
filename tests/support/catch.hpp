#pragma once

// The only way tests include Catch2: version 3 where the system has it, version 2.13 (Debian 12) otherwise.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>
inline auto ContainsSubstring(const std::string& text) { return Catch::Matchers::Contains(text); }
#endif

namespace sst::testing {

/// A rounding bound for one product or decomposition of float64 numbers around 1.
constexpr double kRounding = 1e-12;

}  // namespace sst::testing
