#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/temporary_folder.hpp"

// Printed tables from whatever runs exist.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;

/// A table of two sweeps: node classification and link prediction on a small made graph.
void write_table_recipes(const std::filesystem::path& folder) {
  const auto write = [&](const std::string& name, const std::string& text) { std::ofstream(folder / name) << text; };
  for (const std::string task : {"nc", "lp"})
    write(task + ".yaml", "recipe_version: 1\ninherit: " + source("recipes/smoke/graph_" + task + "_sst.yaml") +
                              "\nname: made_" + task +
                              "\ntrain: {max_epochs: 4}\nsweep: {tied: [{method.name: full}, {method.name: sst}]}\n"
                              "report:\n  metric: test/loss\n  paper: {table: \"Made, Table 1\", values: "
                              "[{method.name: sst, value: 0.5, note: made up}]}\n");
  write("table.yaml",
        "recipe_version: 1\nname: made_table\nsweep: {recipes: [nc.yaml, lp.yaml]}\n"
        "report: {rows: [method.name], columns: [task], metric: test/loss, paper: {table: \"Made, Table 1\"}}\n");
}

nlohmann::json table_of(const Program& program, const std::vector<std::string>& words) {
  const Outcome outcome = program.run(words);
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  return nlohmann::json::parse(outcome.out);
}

int missing_cells(const nlohmann::json& table) {
  int missing = 0;
  for (const auto& cell : table["cells"]) missing += cell["not_counted"].contains("missing") ? 1 : 0;
  return missing;
}

}  // namespace

TEST_CASE("a printed table is drawn from the runs that were trained on its recipes, under any name", "[end_to_end]") {
  const TemporaryFolder folder;
  write_table_recipes(folder.path());
  const Program program(folder.path());
  const std::vector<std::string> report = {"report", "--table", "table.yaml", "--json"};
  CHECK(missing_cells(table_of(program, report)) == 4);

  REQUIRE(program.run({"nc.yaml", "method.name=full", "name=other"}).code == 0);
  REQUIRE(program.run({"lp.yaml", "train.max_epochs=2"}).code == 0);  // trained otherwise
  const auto table = table_of(program, report);
  CHECK(missing_cells(table) == 3);
  CHECK_THAT(table.dump(), ContainsSubstring("train.max_epochs is 2, not 4"));
  CHECK_THAT(program.run({"report", "--table", "table.yaml"}).out, ContainsSubstring("0.5, made up"));

  const Outcome swept = program.run({"sweep", "table.yaml"});
  INFO(swept.err);
  REQUIRE(swept.code == 0);
  CHECK(missing_cells(table_of(program, report)) == 0);
  CHECK(std::filesystem::exists(folder.path() / "runs/made_table/report.html"));
  CHECK(std::filesystem::exists(folder.path() / "runs/made_nc"));
  CHECK(program.run({"table.yaml"}).code == 2);
}

TEST_CASE("every printed table can be drawn before anything was trained", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  const Outcome unknown = program.run({"report", "--table", "SST, Table 99"});
  CHECK(unknown.code == 2);
  size_t tables = 0;
  const std::string names = unknown.err.substr(unknown.err.find("there are ") + 10);
  for (size_t start = 0; start < names.size();) {
    const size_t end = std::min(names.find_first_of(";\n", start), names.size());
    const std::string name = names.substr(start, end - start);
    start = std::min(names.find_first_not_of("; \n", end), names.size());
    if (name.rfind("SST, ", 0) != 0) continue;
    CAPTURE(name);
    const auto table = table_of(program, {"report", "--table", name, "--json"});
    CHECK(missing_cells(table) == static_cast<int>(table["cells"].size()));
    ++tables;
  }
  CHECK(tables >= 22);
  CHECK_THAT(program.run({"report", "--table", "SST, Table 1"}).out, ContainsSubstring("NaN loss"));
}

TEST_CASE("scores of lm-evaluation-harness are results of the run that they lie in", "[end_to_end]") {
  const TemporaryFolder folder;
  write_table_recipes(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({"nc.yaml", "--out", "runs/x/run"}).code == 0);
  std::filesystem::create_directories(folder.path() / "runs/x/run/zero_shot/exported");
  std::ofstream(folder.path() / "runs/x/run/zero_shot/exported/results_1.json")
      << R"({"results": {"boolq": {"acc,none": 0.25, "acc_stderr,none": 0.1}, "record": {"f1,none": 0.5}}})";
  for (const auto& [metric, value] : {std::pair{"zero_shot/boolq", 25}, {"zero_shot/record", 50}}) {
    const auto table = table_of(program, {"report", "--table", "table.yaml", "--metric", metric, "--json"});
    CHECK_THAT(table.dump(), ContainsSubstring("\"mean\":" + std::to_string(value)));
  }
}

}  // namespace sst
