#pragma once

#include <iostream>
#include <string>

#include "tests/support/catch.hpp"

namespace sst::testing {

/// Says why the test case that runs cannot be carried out on this machine, in the words by which .ci/run_tests.py counts it as
/// skipped; the case returns then, or goes on with what it can check.
inline void skip(const std::string& reason) {
  std::cout << "skipped: " << reason << " [" << Catch::getResultCapture().getCurrentTestName() << "]" << std::endl;
}

}  // namespace sst::testing
