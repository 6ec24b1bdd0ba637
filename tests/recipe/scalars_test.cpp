#include "recipe/scalars.hpp"

#include "core/error.hpp"
#include "tests/support/catch.hpp"

namespace sst::recipe_test {

using namespace recipe;

TEST_CASE("every form of a whole number means the same everywhere", "[recipe]") {
  const std::vector<std::pair<std::string, int64_t>> forms = {{"0", 0},
                                                              {"-3", -3},
                                                              {"+7", 7},
                                                              {"10240", 10240},
                                                              {"10_240", 10240},
                                                              {"10K", 10000},
                                                              {"2M", 2000000},
                                                              {"10B", 10000000000},
                                                              {"1.5K", 1500},
                                                              {"1e4", 10000},
                                                              {"1.50e1", 15},
                                                              {"10.0", 10},
                                                              {"1_000K", 1000000},
                                                              {"40E0", 40},
                                                              {"999999999999999999", 999999999999999999}};
  for (const auto& [text, value] : forms) {
    CAPTURE(text);
    CHECK(parse_integer(text).value == value);
  }
}

TEST_CASE("what is no whole number is refused", "[recipe]") {
  for (const std::string text : {"",
                                 "-",
                                 "1.5",
                                 "1.0005K",
                                 "1e-1",
                                 "0x10",
                                 "010",
                                 "1_",
                                 "_1",
                                 "1__0",
                                 "10KB",
                                 "10 K",
                                 "1,000",
                                 "ten",
                                 "1e",
                                 "1e400",
                                 "1000000000000000000",
                                 "99999B99",
                                 "inf",
                                 "1/3",
                                 "K",
                                 "."}) {
    CAPTURE(text);
    CHECK_FALSE(parse_integer(text).value);
  }
  CHECK(parse_integer("1.5").hint == "a fraction is not allowed here");
  CHECK(parse_integer("010").hint == "a leading zero is ambiguous; write the number without it");
  CHECK(parse_integer("10k").hint == "the suffixes are K, M and B (powers of ten)");
  CHECK(parse_integer("1,000").hint == "write '_' between thousands: 10_240");
  CHECK(parse_integer("1e30").hint == "the number is too large");
}

TEST_CASE("every form of a number is the same double", "[recipe]") {
  for (const std::string text : {"1e-4", "1E-4", ".0001", "0.0001", "1.0e-4", "0.1e-3", "0.000_1", "+1e-4"}) {
    CAPTURE(text);
    CHECK(parse_number(text).value == 1e-4);
  }
  CHECK(parse_number("3.2275e-3").value == 3.2275e-3);
  CHECK(parse_number("10_240.5").value == 10240.5);
  CHECK(parse_number("5.").value == 5.0);
  CHECK(parse_number("-2").value == -2.0);
}

TEST_CASE("what is no finite number is refused with what to write", "[recipe]") {
  const std::vector<std::pair<std::string, std::string>> forms = {
      {"inf", "a finite number is needed"},
      {"-.inf", "a finite number is needed"},
      {".NaN", "a finite number is needed"},
      {"1e999", "the number is outside what a double holds"},
      {"1/3", "fractions are not read; write 0.333333"},
      {"0,5", "write a decimal point, and '_' between thousands"},
      {"10%", "per cent are not read; write the share, such as 0.1"},
      {"10K", "write 10000"},
      {"1e-", ""},
      {"abc", ""},
      {"", ""},
      {"0x1p3", ""}};
  for (const auto& [text, hint] : forms) {
    CAPTURE(text);
    CHECK_FALSE(parse_number(text).value);
    CHECK(parse_number(text).hint == hint);
  }
}

TEST_CASE("only true and false are booleans", "[recipe]") {
  CHECK(parse_boolean("true").value == true);
  CHECK(parse_boolean("false").value == false);
  for (const std::string text : {"yes", "on", "True", "TRUE", "y", "1"})
    CHECK(parse_boolean(text).hint == "write true");
  for (const std::string text : {"no", "off", "False", "n", "0"}) CHECK(parse_boolean(text).hint == "write false");
  CHECK_FALSE(parse_boolean("maybe").value);
}

TEST_CASE("times are read with their units and written in the largest ones", "[recipe]") {
  CHECK(parse_duration("90s").value == Duration{90});
  CHECK(parse_duration("30min").value == Duration{1800});
  CHECK(parse_duration("4h").value == Duration{14400});
  CHECK(parse_duration("2d").value == Duration{172800});
  CHECK(parse_duration("3h50min").value == Duration{13800});
  for (const std::string text :
       {"", "30", "1.5h", "30m", "1h1h", "30min1h", "h", "-4h", "1h 30min", "9999999999999s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text).value);
  }
  CHECK(format_duration({5400}) == "1h30min");
  CHECK(format_duration({90}) == "1min30s");
  CHECK(format_duration({0}) == "0s");
  CHECK_THROWS_WITH(parse_duration("3", "--max-time"), "--max-time is '3' but must be a time");
}

TEST_CASE("sizes are powers of two, and the decimal ones are refused with the binary one", "[recipe]") {
  CHECK(parse_bytes("512MiB").value == Bytes{int64_t{512} << 20});
  CHECK(parse_bytes("8GiB").value == Bytes{int64_t{8} << 30});
  CHECK(parse_bytes("17B").value == Bytes{17});
  CHECK(parse_bytes("1_024KiB").value == Bytes{1 << 20});
  CHECK(parse_bytes("8GB").hint == "sizes are powers of two here; write 8GiB");
  CHECK(parse_bytes("8M").hint == "sizes are powers of two here; write 8MiB");
  for (const std::string text : {"", "8", "MiB", "-1GiB", "1.5", "99999999999TiB", "8gib"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_bytes(text).value);
  }
  CHECK(format_bytes({int64_t{3} << 29}) == "1536MiB");
}

TEST_CASE("an interval is in steps unless it carries a unit", "[recipe]") {
  using Unit = Interval::Unit;
  CHECK(parse_interval("500").value == Interval::steps(500));
  CHECK(parse_interval("500step").value == Interval::steps(500));
  CHECK(parse_interval("10K").value == Interval::steps(10000));
  CHECK(parse_interval("2epoch").value == Interval::epochs(2));
  CHECK(parse_interval("50Mtoken").value == Interval{Unit::kToken, 50'000'000});
  CHECK(parse_interval("2Btoken").value == Interval{Unit::kToken, 2'000'000'000});
  CHECK(parse_interval("30min").value == Interval{Unit::kSecond, 1800});
  CHECK(parse_interval("off").value == Interval::off());
  CHECK(parse_interval("0").hint == "write off to disable");
  CHECK(parse_interval("0s").hint == "write off to disable");
  for (const std::string text : {"", "-1", "0.5epoch", "2epochs", "never", "Off", "5 step", "step"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_interval(text).value);
  }
  for (const std::string text : {"500", "2epoch", "50000000token", "1h30min", "off"})
    CHECK(format_interval(*parse_interval(text).value) == text);
}

TEST_CASE("a double is written in the shortest form that reads back", "[recipe]") {
  for (const double value : {0.1, 1e-4, 3.2275e-3, 1.0, 0.0, 1e300, 1.0 / 3, 123456789.0}) {
    CAPTURE(value);
    CHECK(parse_number(format_number(value)).value == value);
  }
  CHECK(format_number(0.1) == "0.1");
  CHECK(format_number(1.0) == "1");
}

}  // namespace sst::recipe_test
