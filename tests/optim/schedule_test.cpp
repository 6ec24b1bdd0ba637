#include "optim/schedule.hpp"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>

#include "core/error.hpp"
#include "optim/plateau.hpp"
#include "optim/rate_table.hpp"
#include "tests/support/catch.hpp"

namespace sst::optim {

using recipe::Interval;

namespace {

Schedule schedule(ScheduleOptions options, int64_t total_steps = 100) {
  return make_schedule(options, {.total_steps = total_steps});
}

std::string refusal(const ScheduleOptions& options, ScheduleContext context = {.total_steps = 100}) {
  try {
    make_schedule(options, context);
  } catch (const UserError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

std::filesystem::path file_with(const std::string& text) {
  const auto path = std::filesystem::temp_directory_path() / "sst_rate_table_test.txt";
  std::ofstream(path) << text;
  return path;
}

std::string table_refusal(const std::string& text, int64_t total_steps = 0) {
  try {
    RateTable(file_with(text), total_steps);
  } catch (const DataError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("warm-up climbs by (step + 1) / warmup_steps and then holds", "[optim]") {
  const Schedule constant = schedule({.warmup_steps = 4});
  CHECK(constant(0) == 0.25);
  CHECK(constant(1) == 0.5);
  CHECK(constant(3) == 1);
  CHECK(constant(99) == 1);
  CHECK(schedule({})(0) == 1);
}

TEST_CASE("linear goes from the end of the warm-up to the floor at the end of training", "[optim]") {
  const Schedule linear = schedule({.name = "linear", .warmup_steps = 20, .min_lr_ratio = 0.2});
  CHECK(linear(9) == 0.5);
  CHECK(linear(20) == 1);
  CHECK(linear(60) == Approx(0.6));  // half-way between 1 and 0.2
  CHECK(linear(100) == Approx(0.2));
  CHECK(linear(1000) == Approx(0.2));
}

TEST_CASE("cosine has the values of the weight-decay study's schedule", "[optim]") {
  // eta t / 400, then min + (1 + cos(pi (t - 400) / (T - 400))) / 2 (eta - min) with min = eta / 10.
  const Schedule cosine = schedule({.name = "cosine", .warmup_steps = 400, .min_lr_ratio = 0.1}, 50000);
  CHECK(cosine(199) == 0.5);
  CHECK(cosine(400) == 1);
  CHECK(cosine(25200) == Approx(0.55));  // half-way in time
  CHECK(cosine(400 + 49600 / 4) == Approx(0.1 + 0.9 * 0.5 * (1 + std::sqrt(0.5))));
  CHECK(cosine(50000) == Approx(0.1));
  const Schedule slower = schedule(
      {.name = "cosine", .warmup_steps = 400, .min_lr_ratio = 0.1, .decay_steps = Interval::steps(55000)}, 50000);
  CHECK(slower(50000) == Approx(0.1 + 0.45 * (1 + std::cos(M_PI * 49600 / 54600))));
  CHECK(slower(50000) > 0.11);
}

TEST_CASE("decay_steps in epochs and tokens are counted in steps", "[optim]") {
  const ScheduleContext context{.total_steps = 1000, .step = {.per_epoch = 10, .tokens = 100}};
  const Schedule epochs = make_schedule({.name = "linear", .decay_steps = Interval::epochs(5)}, context);
  CHECK(epochs(25) == Approx(0.5));
  const Interval tokens{.unit = Interval::Unit::kToken, .count = 5000};
  CHECK(make_schedule({.name = "linear", .decay_steps = tokens}, context)(25) == Approx(0.5));
}

TEST_CASE("inverse_sqrt with the converted rate is noam", "[optim]") {
  const double hidden_size = 64, warmup = 6000, noam_factor = 2;
  const double peak = noam_factor * std::pow(hidden_size, -0.5) * std::pow(warmup, -0.5);
  CHECK(peak == Approx(3.2275e-3).epsilon(1e-4));
  const Schedule inverse = schedule({.name = "inverse_sqrt", .warmup_steps = 6000}, 40000);
  for (const int64_t step : {0, 1, 100, 5998, 5999, 6000, 6001, 20000, 39999}) {
    const auto n = static_cast<double>(step + 1);
    const double noam =
        noam_factor * std::pow(hidden_size, -0.5) * std::min(std::pow(n, -0.5), n * std::pow(warmup, -1.5));
    CHECK(peak * inverse(step) == Approx(noam).epsilon(1e-12));
  }
}

TEST_CASE("wsd holds the peak and falls linearly over its last steps", "[optim]") {
  const Schedule wsd =
      schedule({.name = "wsd", .warmup_steps = 10, .min_lr_ratio = 0.5, .decay_steps = Interval::steps(20)});
  CHECK(wsd(4) == 0.5);
  CHECK(wsd(80) == 1);
  CHECK(wsd(90) == Approx(0.75));
  CHECK(wsd(100) == Approx(0.5));
  CHECK(schedule({.name = "wsd"})(90) == 1);  // a tenth of training by default
  CHECK(schedule({.name = "wsd"})(95) == Approx(0.5));
}

TEST_CASE("step multiplies by gamma at each multiple", "[optim]") {
  const Schedule step =
      schedule({.name = "step", .min_lr_ratio = 0.05, .step_size = Interval::steps(10), .gamma = 0.1});
  CHECK(step(9) == 1);
  CHECK(step(10) == Approx(0.1));
  CHECK(step(25) == Approx(0.05));  // 0.01 is below the floor
}

TEST_CASE("a cycle climbs again and joins the schedule where the climb ends", "[optim]") {
  const ScheduleContext context{.total_steps = 1000, .restart_warmup_steps = 10};
  const ScheduleOptions plain{.name = "cosine", .warmup_steps = 50, .min_lr_ratio = 0.1};
  ScheduleOptions jagged = plain;
  jagged.cycle = Interval::steps(200);
  const Schedule smooth = make_schedule(plain, context), restarts = make_schedule(jagged, context);
  CHECK(restarts(25) == smooth(25));  // the first warm-up is the only one in the first cycle
  CHECK(restarts(199) == smooth(199));
  CHECK(restarts(200) == Approx(0.1 * smooth(210)));
  CHECK(restarts(204) == Approx(0.5 * smooth(210)));
  CHECK(restarts(209) == Approx(smooth(210)));
  CHECK(restarts(210) == smooth(210));
  CHECK(restarts(400) == Approx(0.1 * smooth(410)));
}

TEST_CASE("the jagged cosine has the values of ReLoRA's schedule, one step early in each ramp", "[optim]") {
  // Published: s / w in a ramp, here (s + 1) / w as in every warm-up. R = 200, w1 = 50, w = 10, N = 1000, m = 0.1.
  ScheduleOptions options{.name = "cosine", .warmup_steps = 50, .min_lr_ratio = 0.1};
  options.cycle = Interval::steps(200);
  const Schedule jagged = make_schedule(options, {.total_steps = 1000, .restart_warmup_steps = 10});
  const auto cosine = [](double s) { return 0.1 + 0.9 * 0.5 * (1 + std::cos(std::numbers::pi * (s - 50) / 950)); };
  CHECK(jagged(0) == Approx(1.0 / 50));
  CHECK(jagged(50) == Approx(1.0));
  CHECK(jagged(199) == Approx(cosine(199)));
  for (const int64_t restart : {200, 400, 600, 800}) {
    CHECK(jagged(restart) == Approx(0.1 * cosine(static_cast<double>(restart) + 10)));
    CHECK(jagged(restart + 9) == Approx(cosine(static_cast<double>(restart) + 10)));
    CHECK(jagged(restart + 10) == Approx(cosine(static_cast<double>(restart) + 10)));  // joins without a step
  }
  CHECK(jagged(999) == Approx(cosine(999)));
}

TEST_CASE("a table gives the rates of its file, line by line or held between listed steps", "[optim]") {
  const auto path = file_with("# recorded rates\n1e-3\n5e-4  # half\n\n2.5e-4\n");
  const Schedule lines =
      make_schedule({.name = "table", .file = recipe::Path{path.string()}}, {.total_steps = 3, .peak_lr = 2e-3});
  CHECK(lines(0) == Approx(0.5));
  CHECK(lines(2) == Approx(0.125));
  const RateTable held(file_with("0 1\n10,0.5\n20\t0.1\n"), 100);
  CHECK(held.rate(9) == 1);
  CHECK(held.rate(10) == 0.5);
  CHECK(held.rate(99) == 0.1);
}

TEST_CASE("a table that cannot be used is refused by file and line", "[optim]") {
  CHECK_THAT(table_refusal("1\nx\n"), ContainsSubstring("sst_rate_table_test.txt:2: 'x' is not a number"));
  CHECK_THAT(table_refusal("1\n-1\n"), ContainsSubstring(":2: a learning rate cannot be -1"));
  CHECK_THAT(table_refusal("1\nnan\n"), ContainsSubstring(":2: a learning rate cannot be nan"));
  CHECK_THAT(table_refusal("1\n2 3\n"), ContainsSubstring(":2: 2 columns"));
  CHECK_THAT(table_refusal("1 2 3\n"), ContainsSubstring(":1: 3 columns"));
  CHECK_THAT(table_refusal("0 1\n5 1\n5 1\n"), ContainsSubstring(":3: step 5 is out of order"));
  CHECK_THAT(table_refusal("3 1\n"), ContainsSubstring(":1: step 3 is out of order"));
  CHECK_THAT(table_refusal("# nothing\n"), ContainsSubstring("no rates in it"));
  CHECK_THAT(table_refusal("1\n1\n", 3), ContainsSubstring("2 rates for 3 steps"));
}

TEST_CASE("keys that are missing, without effect or impossible are refused", "[optim]") {
  CHECK_THAT(refusal({.name = "constant", .decay_steps = Interval::steps(5)}),
             ContainsSubstring("'schedule.decay_steps' has no effect with 'schedule.name: constant'"));
  CHECK_THAT(refusal({.name = "cosine", .step_size = Interval::steps(5)}), ContainsSubstring("'schedule.step_size'"));
  CHECK_THAT(refusal({.name = "cosine", .file = recipe::Path{"x"}}), ContainsSubstring("'schedule.file'"));
  CHECK_THAT(refusal({.name = "step"}), ContainsSubstring("needs 'schedule.step_size'"));
  CHECK_THAT(refusal({.name = "table"}), ContainsSubstring("needs 'schedule.file'"));
  CHECK_THAT(refusal({.warmup_steps = 100}), ContainsSubstring("training ends after 100 steps"));
  CHECK_THAT(refusal({.name = "cosine"}, {.total_steps = 0}), ContainsSubstring("must know where training ends"));
  CHECK_THAT(refusal({.name = "wsd"}, {.total_steps = 0}), ContainsSubstring("must know where training ends"));
  CHECK_THAT(refusal({.name = "linear", .warmup_steps = 50, .decay_steps = Interval::steps(50)}),
             ContainsSubstring("before the warm-up of 50 steps ends"));
  CHECK_THAT(refusal({.cycle = Interval::steps(20)}), ContainsSubstring("not longer than its warm-up"));
  CHECK_THAT(refusal({.name = "linear", .decay_steps = Interval{.unit = Interval::Unit::kSecond, .count = 60}}),
             ContainsSubstring("must not depend on the clock"));
  CHECK_THAT(refusal({.name = "linear", .decay_steps = Interval{.unit = Interval::Unit::kToken, .count = 60}}),
             ContainsSubstring("counts tokens, which this task does not"));
}

TEST_CASE("plateau bears its patience, lowers the rate, and goes on from a saved state", "[optim]") {
  const ScheduleOptions options{.name = "plateau", .min_lr_ratio = 0.2, .factor = 0.5, .patience = 2};
  Plateau plateau(options);
  const auto observe_bad = [](Plateau& it, int times) {
    for (int i = 0; i < times; ++i) it.observe(false);
  };
  observe_bad(plateau, 2);
  CHECK(plateau.factor() == 1);
  plateau.observe(true);
  observe_bad(plateau, 2);
  CHECK(plateau.factor() == 1);

  Plateau resumed(options);
  resumed.load_state(plateau.state());
  for (Plateau* it : {&plateau, &resumed}) {
    observe_bad(*it, 1);
    CHECK(it->factor() == 0.5);
    observe_bad(*it, 6);
    CHECK(it->factor() == 0.2);  // not 0.125
  }
  CHECK_THROWS_AS(resumed.load_state({{"factor", 2.0}, {"bad_evaluations", 0}}), CheckpointError);
  CHECK_THROWS_AS(resumed.load_state({{"factor", 1.0}}), CheckpointError);

  Plateau inactive(ScheduleOptions{});
  observe_bad(inactive, 100);
  CHECK(inactive.factor() == 1);
}

}  // namespace sst::optim
