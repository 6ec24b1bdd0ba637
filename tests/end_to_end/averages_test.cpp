#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

// Averaged weights from the recipe to evaluation, resume, generation and export.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;

constexpr double kRounding = 1e-6;

/// The last value of a metric in the run's journal.
double last_metric(const Program& program, const std::string& run, const std::string& name) {
  std::ifstream lines(program.folder() / run / "metrics.jsonl");
  double value = NAN;
  for (std::string line; std::getline(lines, line);) value = nlohmann::json::parse(line).value(name, value);
  return value;
}

double evaluated(const Program& program, const std::vector<std::string>& words, const std::string& name) {
  const Outcome outcome = program.run(words);
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  return nlohmann::json::parse(outcome.out)["results"][name].get<double>();
}

}  // namespace

TEST_CASE("averages are evaluated, saved, resumed bit for bit and used by every verb", "[end_to_end][slow]") {
  const std::string method = GENERATE("full", "lora", "relora", "sst");
  CAPTURE(method);
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  const auto train = [&](const std::string& out, int steps) {
    const Outcome outcome =
        program.run({source("recipes/smoke/lm_" + method + ".yaml"), "--out", out, "train.ema=[0.9,0.99]",
                     "schedule.decay_steps=40", "train.max_steps=" + std::to_string(steps)});
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
  };
  train("whole", 40);
  const double raw = last_metric(program, "whole", "valid/loss");
  const double averaged = last_metric(program, "whole", "valid/ema_0.9/loss");
  CHECK(averaged != raw);
  CHECK(std::abs(averaged - raw) < 0.5);

  const std::vector<std::string> last = {"eval", "whole", "--checkpoint", "last", "--json"};
  CHECK(evaluated(program, last, "valid/loss") == Approx(raw).epsilon(kRounding));
  auto of_average = last;
  of_average.insert(of_average.end(), {"--weights", "ema_0.9"});
  CHECK(evaluated(program, of_average, "valid/loss") == Approx(averaged).epsilon(kRounding));

  for (const int steps : {6, 13, 24, 40}) train("cut", steps);
  const Outcome diff = program.run({"inspect", "whole", "--diff", "cut"});
  INFO(diff.out);
  CHECK(diff.code == 0);

  const Outcome exported = program.run({"export", "whole", "--weights", "ema_0.99", "--out", "hf"});
  INFO(exported.err);
  CHECK(exported.code == 0);
  CHECK(program.run({"generate", "whole", "--weights", "ema_0.9", "--prompt", "ba"}).code == 0);
  const Outcome unclear = program.run({"generate", "whole", "--weights", "ema", "--prompt", "ba"});
  CHECK(unclear.code == 2);
  CHECK_THAT(unclear.err, ContainsSubstring("ema_0.9, ema_0.99"));
}

TEST_CASE("an average of points on the hyperboloid can select the best checkpoint", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  const Outcome outcome = program.run({source("recipes/smoke/graph_nc_sst.yaml"), "--out", "run", "train.ema=0.9",
                                       "checkpoint.best_metric=valid/ema_0.9/f1"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK_THAT(outcome.err, ContainsSubstring("test/ema_0.9/f1"));
  const double best = evaluated(program, {"eval", "run", "--weights", "ema", "--split", "valid", "--json"}, "valid/f1");
  const auto record = nlohmann::json::parse(Program::text_of(folder.path() / "run/run.json"));
  CHECK(best == Approx(record["best"]["value"].get<double>()).epsilon(kRounding));
}

}  // namespace sst
