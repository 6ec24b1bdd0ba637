#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

// What recipes/weight_decay needs, as a user types it.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;

const std::string kFullLm = source("recipes/smoke/lm_full.yaml");

std::vector<nlohmann::json> lines_of_kind(const std::filesystem::path& run, const std::string& kind) {
  std::vector<nlohmann::json> found;
  std::stringstream lines(Program::text_of(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);)
    if (auto entry = nlohmann::json::parse(line); entry.at("kind") == kind) found.push_back(std::move(entry));
  return found;
}

}  // namespace

TEST_CASE("a run matched to its own record has the same weights, bit for bit, resumed or not", "[end_to_end]") {
  const std::string scope = GENERATE("global", "per_matrix");
  const std::string method = GENERATE("full", "sst");
  CAPTURE(scope, method);
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  const std::string recipe = source("recipes/smoke/lm_" + method + ".yaml");
  REQUIRE(program.run({recipe, "--out", "record", "logging.weights=1"}).code == 0);
  CHECK(lines_of_kind(folder / "record", "weights").size() == 40);
  std::vector<std::string> matched = {recipe,
                                      "--out",
                                      "matched",
                                      "schedule.name=match_effective",
                                      "schedule.warmup_steps=0",
                                      "schedule.file=record",
                                      "schedule.scope=" + scope};
  for (const std::string steps : {"13", "40"}) {
    matched.push_back("train.max_steps=" + steps);
    const Outcome outcome = program.run(matched);
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    matched.pop_back();
  }
  const Outcome diff = program.run({"inspect", "record", "--diff", "matched"});
  INFO(diff.out << diff.err);
  CHECK(diff.code == 0);
}

TEST_CASE("without decay the matched rate grows with the weights, so that their relative update stays",
          "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({kFullLm, "--out", "record", "logging.weights=1", "optim.weight_decay=2"}).code == 0);
  REQUIRE(program
              .run({kFullLm, "--out", "matched", "logging.weights=1", "optim.weight_decay=0",
                    "schedule.name=match_effective", "schedule.warmup_steps=0", "schedule.file=record"})
              .code == 0);
  const auto recorded = lines_of_kind(folder / "record", "weights").back();
  const auto matched = lines_of_kind(folder / "matched", "weights").back();
  CHECK(matched.at("weights/norm") > recorded.at("weights/norm"));
  CHECK(matched.at("weights/lr") > recorded.at("weights/lr"));
  CHECK(matched.at("weights/effective_lr").get<double>() ==
        Approx(recorded.at("weights/effective_lr").get<double>()).epsilon(1e-9));
  CHECK_THAT(Program::text_of(folder / "matched/report.html"), ContainsSubstring("<h2>Weights</h2>"));
  const Outcome missing = program.run(
      {kFullLm, "--out", "other", "schedule.name=match_effective", "schedule.warmup_steps=0", "schedule.file=nowhere"});
  CHECK(missing.code == 3);
  CHECK_THAT(missing.err, ContainsSubstring("logging.weights=1"));
}

TEST_CASE("a sweep over checkpoints goes on from each with its moments, at a rate of its own", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({kFullLm, "--out", "base", "checkpoint.keep_every=10"}).code == 0);
  std::ofstream(folder / "tiny.yaml") << "recipe_version: 1\ninherit: " << kFullLm
                                      << "\nname: tiny\ninit: {from: base, optimizer: keep}\n"
                                         "optim: {lr: 1e-5, weight_decay: 0}\n"
                                         "schedule: {name: constant, warmup_steps: 0}\ntrain: {max_steps: 4}\n"
                                         "checkpoint: {every: 1, keep_last: 9}\nlogging: {every: 1}\n"
                                         "sweep: {axes: {init.from: [base/checkpoints/step-00000020, "
                                         "base/checkpoints/step-00000040]}}\n"
                                         "report: {rows: [init.from], metric: valid/loss, best: min}\n";
  const Outcome swept = program.run({"sweep", "tiny.yaml"});
  INFO(swept.out << swept.err);
  REQUIRE(swept.code == 0);
  int runs = 0;
  for (const auto& run : std::filesystem::directory_iterator(folder / "runs/tiny")) {
    if (!std::filesystem::exists(run.path() / "run.json")) continue;
    ++runs;
    for (const auto& line : lines_of_kind(run.path(), "train")) CHECK(line.at("optim/lr") == 1e-5);
    const auto inspected = program.run({"inspect", (run.path() / "checkpoints/step-00000001").string()});
    CHECK(inspected.code == 0);
  }
  CHECK(runs == 2);
}

TEST_CASE("weights in bfloat16 rounded by chance resume bit for bit", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  const auto train = [&](const std::string& out, const std::string& steps) {
    const Outcome outcome =
        program.run({kFullLm, "--out", out, "precision=bf16_pure", "precision.stochastic_rounding=true",
                     "schedule.decay_steps=40", "train.max_steps=" + steps});
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
  };
  train("whole", "40");
  for (const std::string steps : {"7", "40"}) train("cut", steps);
  CHECK(program.run({"inspect", "whole", "--diff", "cut"}).code == 0);
  const Outcome wide = program.run({"validate", kFullLm, "precision.stochastic_rounding=true"});
  CHECK(wide.code == 2);
  CHECK_THAT(wide.err, ContainsSubstring("is about weights in bf16"));
}

TEST_CASE("clipped steps are counted, over an interruption too", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  for (const std::string steps : {"10", "20"})
    REQUIRE(program
                .run({kFullLm, "--out", "run", "optim.grad_clip=1e-3", "logging.every=10", "schedule.decay_steps=40",
                      "train.max_steps=" + steps})
                .code == 0);
  const auto lines = lines_of_kind(folder / "run", "train");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].at("optim/clipped_steps") == 10);
  CHECK(lines[1].at("optim/clipped_steps") == 20);
  CHECK(lines[1].at("optim/grad_norm") > 1e-3);
}

}  // namespace sst
