#include "core/terminal.hpp"

#include <cstdlib>

#include "core/error.hpp"
#include "tests/support/catch.hpp"

using namespace sst;

TEST_CASE("a wide character takes two cells and a combining mark none", "[run]") {
  CHECK(display_width("loss 4.2") == 8);
  CHECK(display_width("██████▌") == 7);
  CHECK(display_width("谱训练") == 6);
  CHECK(display_width("e\u0301") == 1);
  CHECK(display_width("🙂") == 2);
  CHECK(display_width("\xff\xfe") == 2);
}

TEST_CASE("a text that is too long ends in an ellipsis within its cells", "[run]") {
  CHECK(fit_width("training", 8) == "training");
  CHECK(fit_width("training", 5) == "trai…");
  CHECK(fit_width("谱训练", 4) == "谱…");  // half a wide character cannot be shown
  CHECK(fit_width("training", 0).empty());
}

TEST_CASE("padding counts cells, not bytes", "[run]") {
  CHECK(pad_right("谱", 4) == "谱  ");
  CHECK(pad_left("±1", 4) == "  ±1");
}

TEST_CASE("colour follows the flag, then NO_COLOR, then the terminal", "[run]") {
  ::unsetenv("NO_COLOR");
  CHECK(use_color("auto", true));
  CHECK_FALSE(use_color("auto", false));
  ::setenv("NO_COLOR", "1", 1);
  CHECK_FALSE(use_color("auto", true));
  CHECK(use_color("always", true));
  ::setenv("NO_COLOR", "", 1);  // no-color.org: empty is not set
  CHECK(use_color("auto", true));
  ::unsetenv("NO_COLOR");
  CHECK_FALSE(use_color("never", true));
  CHECK_THROWS_AS(use_color("blue", true), sst::UserError);
}
