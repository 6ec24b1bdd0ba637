#include "report/studies.hpp"

#include <cmath>

#include "report/study_charts.hpp"
#include "tests/report/made_runs.hpp"
#include "tests/support/catch.hpp"

namespace sst::report {
namespace {

/// A run whose gradient norm, and whose only layer's, is a · t + b · (−1)^t.
RunRecord logged_run(const std::string& method, double a, double b) {
  RunRecord run = testing::made_run(method, method == "full" ? "" : "2", 1, 0.8);
  for (int64_t step = 1; step <= 8; ++step) {
    const double value = a * static_cast<double>(step) + (step % 2 == 0 ? b : -b);
    run.curves["optim/grad_norm"].push_back({step, value});
    for (const char* measure : {"grad_norm", "update_norm"})
      run.curves[std::string("layer/blocks.0.fc1/") + measure].push_back({step, value});
    run.curves["layer/blocks.0.fc1/effective_rank"].push_back({step, 4});
  }
  run.spectra["blocks.0.fc1"] = {{.step = 1, .values = {3, 2, 1}}, {.step = 8, .values = {4, 2, 1}}};
  return run;
}

Table logged_table() {
  TableSpec spec;
  spec.compare_to = {{"method.name", "full"}};
  return make_table("t", {logged_run("full", 1, 0), logged_run("sst", 2, 0), logged_run("lora", 0, 1)}, spec);
}

std::vector<std::string> headings(const std::vector<Figure>& figures) {
  std::vector<std::string> names;
  for (const auto& figure : figures) names.push_back(figure.heading);
  return names;
}

}  // namespace

TEST_CASE("a correlation is over the steps that both curves have", "[run]") {
  const Curve line = {{1, 1}, {2, 2}, {3, 3}, {4, 4}};
  CHECK(correlation(line, {{1, 10}, {2, 20}, {3, 30}, {9, -5}}).value() == Approx(1));
  CHECK(correlation(line, {{1, 3}, {2, 2}, {3, 1}}).value() == Approx(-1));
  CHECK(correlation(line, {{1, 1}, {2, 3}, {3, 2}, {4, std::nan("")}}).value() == Approx(0.5));
  CHECK_FALSE(correlation(line, {{1, 1}, {2, 2}}).has_value());
  CHECK_FALSE(correlation(line, {{1, 5}, {2, 5}, {3, 5}}).has_value());
}

TEST_CASE("notes say how gradients and updates go with full rank, and where that stood at equal effective steps",
          "[run]") {
  const Table table = logged_table();  // rows full, lora, sst
  const auto notes = study_notes(table);
  const auto has = [&](const std::string& note) { return std::find(notes.begin(), notes.end(), note) != notes.end(); };
  for (const auto& note : notes) UNSCOPED_INFO(note);
  CHECK(
      has("sst: the gradient norm correlates 1.00 with the reference's over 8 points; of gradients layer by layer 1.00 "
          "(1.00 to 1.00); of updates layer by layer 1.00 (1.00 to 1.00)."));
  // 50 steps of 2,000 parameters are 5 steps of 20,000: valid/f1 is f1 − 0.5 / step.
  CHECK(has("sst: 79.00 at its last effective step, 1e+05, where the reference stood at 70.00 (valid f1 (%))."));
  const auto layers = layer_correlations(table, 1, 0, "update_norm");
  REQUIRE(layers.size() == 1);
  CHECK(layers[0].layer == "blocks.0.fc1");
  CHECK(std::abs(layers[0].value) < 0.5);
}

TEST_CASE("pages draw what was recorded of layers and pruning, and nothing else", "[run]") {
  RunRecord run = logged_run("sst", 1, 0);
  run.curves["layer/blocks.0.fc1/weight_norm"] = {{1, 1.0}};
  run.pruning = {{.keep = 1, .results = {{"valid/f1", 0.8}}},
                 {.keep = 0.9, .removed = 0.25, .results = {{"valid/f1", 0.7}}}};
  CHECK(headings(run_study_figures(run, "test/f1")) ==
        std::vector<std::string>{"Layers", "Singular values over training", "Pruning"});
  const auto pruning = run_study_figures(run, "test/f1").back().charts.at(0).lines.at(0);
  CHECK(pruning.x_scale * static_cast<double>(pruning.points.at(1).step) == Approx(25));
  CHECK(pruning.points.at(1).value == Approx(70));
  CHECK(run_study_figures(testing::made_run("full", "", 1, 0.8), "test/f1").empty());

  CHECK(headings(table_study_figures(logged_table(), 0)) ==
        std::vector<std::string>{"Effective steps", "Layers beside the reference", "Singular values at the end"});
}

}  // namespace sst::report
