#pragma once

#include <string_view>

namespace sst::report {

/// The page's whole look, light and dark, in one inline sheet: no fonts, pictures or scripts from elsewhere.
std::string_view report_style();

}  // namespace sst::report
