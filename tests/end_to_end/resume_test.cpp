#include <chrono>
#include <thread>

#include "core/seeds.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/smoke_recipes.hpp"
#include "tests/support/temporary_folder.hpp"

// Interrupted and resumed is uninterrupted, bit for bit: for every method and task, wherever the interruption falls.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;

std::string smoke(const std::string& task, const std::string& method) {
  return source("recipes/smoke/graph_" + task + "_" + method + ".yaml");
}

/// Model, optimizer and method of the last checkpoints are the same bits.
void check_equal(const Program& program, const std::string& a, const std::string& b) {
  const Outcome diff = program.run({"inspect", a, "--diff", b});
  INFO(diff.out << diff.err);
  CHECK(diff.code == 0);
}

}  // namespace

TEST_CASE("a run cut at any step and continued ends with the weights of an unbroken one", "[end_to_end][slow]") {
  const std::string task = GENERATE("nc", "lp"), method = GENERATE(from_range(testing::smoke_methods()));
  CAPTURE(task, method);
  const TemporaryFolder folder;
  const Program program(folder.path());
  REQUIRE(program.run({smoke(task, method), "--out", "whole"}).code == 0);
  // One run, cut inside an iteration, at the end of one, at the end of a round, at a merge, and between checkpoints.
  for (const int epochs : {1, 3, 6, 8, 13, 24, 40})
    REQUIRE(program.run({smoke(task, method), "--out", "cut", "train.max_epochs=" + std::to_string(epochs)}).code == 0);
  check_equal(program, "whole", "cut");
  CHECK(program.run({"inspect", "whole/checkpoints/best", "--diff", "cut/checkpoints/best"}).code == 0);
}

TEST_CASE("the comparison of checkpoints sees a difference of one seed", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  REQUIRE(program.run({smoke("nc", "sst"), "--out", "a"}).code == 0);
  REQUIRE(program.run({smoke("nc", "sst"), "--out", "b", "seed=2"}).code == 0);
  const Outcome diff = program.run({"inspect", "a", "--diff", "b"});
  CHECK(diff.code == 4);
  CHECK_THAT(diff.out, ContainsSubstring("differs, by"));
}

TEST_CASE("the same command twice gives the same weights", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  REQUIRE(program.run({smoke("lp", "sst"), "--out", "a"}).code == 0);
  REQUIRE(program.run({smoke("lp", "sst"), "--out", "b"}).code == 0);
  check_equal(program, "a", "b");
}

TEST_CASE("SIGTERM saves, says 75, and the same command goes on to the same weights", "[end_to_end][slow]") {
  const std::string method = GENERATE("full", "sst");
  const TemporaryFolder folder;
  const Program program(folder.path());
  const std::vector<std::string> command = {smoke("nc", method), "--out", "cut", "train.max_epochs=3000"};
  REQUIRE(program.run({smoke("nc", method), "--out", "whole", "train.max_epochs=3000"}).code == 0);
  int stops = 0;
  for (int attempt = 0; attempt < 20; ++attempt) {
    const pid_t pid = program.start(command);
    std::this_thread::sleep_for(std::chrono::milliseconds(400 + 170 * attempt));
    ::kill(pid, SIGTERM);
    const Outcome outcome = program.wait(pid);
    INFO(outcome.err);
    // A signal that comes before training has begun ends the process as it ends any other.
    REQUIRE((outcome.code == 75 || outcome.code == 0 || outcome.code == 128 + SIGTERM));
    stops += outcome.code == 75;
    if (outcome.code == 0) break;
  }
  CHECK(stops > 0);
  check_equal(program, "whole", "cut");
}

TEST_CASE("SIGKILL at random moments loses nothing that a checkpoint held", "[end_to_end][slow]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  const std::vector<std::string> more = {"train.max_epochs=2000", "checkpoint.every=20epoch"};
  std::vector<std::string> whole = {smoke("lp", "sst"), "--out", "whole"}, cut = {smoke("lp", "sst"), "--out", "cut"};
  whole.insert(whole.end(), more.begin(), more.end());
  cut.insert(cut.end(), more.begin(), more.end());
  REQUIRE(program.run(whole).code == 0);
  CounterRng rng(static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()), Stream::kData);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const pid_t pid = program.start(cut);
    std::this_thread::sleep_for(std::chrono::milliseconds(300 + rng.below(1200)));
    ::kill(pid, SIGKILL);
    program.wait(pid);
  }
  const Outcome last = program.run(cut);
  INFO(last.err);
  REQUIRE(last.code == 0);
  check_equal(program, "whole", "cut");
}

TEST_CASE("a kill inside a save leaves a checkpoint to go on from", "[end_to_end][slow]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  REQUIRE(program.run({smoke("nc", "sst"), "--out", "whole"}).code == 0);
  const std::string point = GENERATE("checkpoint.after_file", "checkpoint.after_manifest", "checkpoint.after_rename",
                                     "checkpoint.after_index");
  const Outcome killed = program.run({smoke("nc", "sst"), "--out", "cut"}, {{"SST_FAULT", point + ":2:kill"}});
  CAPTURE(point, killed.err);
  CHECK(killed.code == 128 + SIGKILL);
  REQUIRE(program.run({smoke("nc", "sst"), "--out", "cut"}).code == 0);
  check_equal(program, "whole", "cut");
}

TEST_CASE("the time budget and the file 'stop' end a run with 75", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  CHECK(program.run({smoke("nc", "full"), "--out", "budget", "train.max_epochs=1M", "--max-time", "1s"}).code == 75);
  const pid_t pid = program.start({smoke("nc", "full"), "--out", "asked", "train.max_epochs=1M"});
  for (int i = 0; i < 100 && !std::filesystem::exists(folder.path() / "asked/metrics.jsonl"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  std::ofstream(folder.path() / "asked/stop").put('\n');
  CHECK(program.wait(pid).code == 75);
}

TEST_CASE("the keyboard's interrupt saves and says 130", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  const pid_t pid = program.start({smoke("nc", "full"), "--out", "run", "train.max_epochs=1M"});
  for (int i = 0; i < 100 && !std::filesystem::exists(folder.path() / "run/metrics.jsonl"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  ::kill(pid, SIGINT);
  CHECK(program.wait(pid).code == 130);
  CHECK(std::filesystem::exists(folder.path() / "run/checkpoints/index.json"));
}

TEST_CASE("metric lines parse and no step repeats after a resume", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  for (const char* epochs : {"7", "19", "40"})
    REQUIRE(program
                .run({smoke("nc", "sst"), "--out", "run", "logging.every=1epoch",
                      std::string("train.max_epochs=") + epochs})
                .code == 0);
  std::ifstream lines(folder.path() / "run/metrics.jsonl");
  int trained = 0;
  for (std::string line; std::getline(lines, line);) {
    REQUIRE(line.front() == '{');
    REQUIRE(line.back() == '}');
    trained += line.find("\"kind\":\"train\"") != std::string::npos;
  }
  CHECK(trained == 40);
}

}  // namespace sst
