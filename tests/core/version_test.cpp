#include "core/version.hpp"

#include <algorithm>
#include <string>

#include "tests/support/catch.hpp"

TEST_CASE("the version number is three numbers", "[core]") {
  const std::string number(sst::version_number());
  CHECK(std::count(number.begin(), number.end(), '.') == 2);
  CHECK(number.find_first_not_of("0123456789.") == std::string::npos);
}

TEST_CASE("the commit is a short hash, marked when the checkout had changes", "[core]") {
  std::string commit(sst::version_commit());
  const std::string dirty = "-dirty";
  if (commit.size() > dirty.size() && commit.substr(commit.size() - dirty.size()) == dirty)
    commit.resize(commit.size() - dirty.size());
  CHECK(commit.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK((commit.empty() || commit.size() >= 7));
}
