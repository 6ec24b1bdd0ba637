#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

// Loss spikes made by a stretch of letters that occur nowhere else in the training text.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;

std::vector<std::string> command(const std::string& method, const std::string& action, const std::string& out,
                                 int64_t steps) {
  return {source("recipes/smoke/lm_" + method + ".yaml"),
          "--out",
          out,
          "train.on_spike=" + action,
          "train.spike_window=8",
          "train.spike_sigma=5",
          "schedule.decay_steps=60",
          "eval.every=7",
          "train.max_steps=" + std::to_string(steps)};
}

std::vector<nlohmann::json> journal(const Program& program, const std::string& run) {
  std::ifstream lines(program.folder() / run / "metrics.jsonl");
  std::vector<nlohmann::json> all;
  for (std::string line; std::getline(lines, line);) all.push_back(nlohmann::json::parse(line));
  return all;
}

int64_t count_events(const std::vector<nlohmann::json>& lines, const std::string& name) {
  return std::count_if(lines.begin(), lines.end(), [&](const auto& line) { return line.value("event", "") == name; });
}

const std::string kOdd = "qzxjqzxjqzxjqzxjqzxjqzxj";

}  // namespace

TEST_CASE("a spike is skipped or rolled back, and the run cut anywhere ends with the same weights",
          "[end_to_end][slow]") {
  const std::string action = GENERATE("skip", "rollback"), method = GENERATE("full", "sst");
  CAPTURE(action, method);
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path(), kOdd);
  const Program program(folder.path());
  const Outcome whole = program.run(command(method, action, "whole", 60));
  INFO(whole.err);
  REQUIRE(whole.code == 0);
  const auto lines = journal(program, "whole");
  CHECK(count_events(lines, action == "skip" ? "spike_skipped" : "rollback") > 0);
  CHECK(std::is_sorted(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a["step"] < b["step"]; }));

  for (const int steps : {6, 11, 19, 27, 28, 29, 30, 31, 45, 60}) {
    const Outcome cut = program.run(command(method, action, "cut", steps));
    INFO(cut.err);
    REQUIRE(cut.code == 0);
  }
  const Outcome diff = program.run({"inspect", "whole", "--diff", "cut"});
  INFO(diff.out);
  CHECK(diff.code == 0);
  CHECK(count_events(journal(program, "cut"), "rollback") == count_events(lines, "rollback"));
}

TEST_CASE("spikes that are ignored change nothing", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path(), kOdd);
  const Program program(folder.path());
  REQUIRE(program.run(command("full", "ignore", "ignored", 60)).code == 0);
  CHECK(count_events(journal(program, "ignored"), "spike_skipped") == 0);
  REQUIRE(program.run(command("full", "skip", "skipped", 60)).code == 0);
  CHECK(program.run({"inspect", "ignored", "--diff", "skipped"}).code == 4);
}

TEST_CASE("spikes that other data do not mend end the run with 6 and a good checkpoint", "[end_to_end]") {
  const std::string action = GENERATE("skip", "rollback");
  CAPTURE(action);
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  auto words = command("full", action, "run", 2000);
  words.push_back("train.spike_sigma=0.001");  // half of all steps are spikes
  words.push_back("optim.lr=1e-9");
  const Outcome outcome = program.run(words);
  INFO(outcome.err);
  CHECK(outcome.code == 6);
  CHECK_THAT(outcome.err, ContainsSubstring("standard deviations from their means"));
  CHECK(program.run({"inspect", "run"}).code == 0);
}

}  // namespace sst
