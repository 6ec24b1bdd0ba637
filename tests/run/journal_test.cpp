#include "run/journal.hpp"

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "run/progress_line.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace sst::run;
using sst::testing::TemporaryFolder;

namespace {

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  auto lines = sst::split(sst::read_file(path), '\n');
  REQUIRE(lines.back().empty());  // the last line ends too
  lines.pop_back();
  return lines;
}

}  // namespace

TEST_CASE("a metric line is the documented one", "[run]") {
  CHECK(metric_line("2026-11-22T12:44:10.231Z", "train", 12300,
                    {{"epoch", 9.21}, {"tokens", int64_t{503808000}}, {"train/loss", 4.213}, {"optim/lr", 5.64e-3}}) ==
        "{\"v\":1,\"time\":\"2026-11-22T12:44:10.231Z\",\"kind\":\"train\",\"step\":12300,\"epoch\":9.21,"
        "\"tokens\":503808000,\"train/loss\":4.213,\"optim/lr\":0.00564}\n");
}

TEST_CASE("a value that is not finite is null and is named", "[run]") {
  const auto line = nlohmann::json::parse(
      metric_line("t", "train", 3,
                  {{"train/loss", std::nan("")}, {"optim/lr", 0.1}, {"x", -std::numeric_limits<double>::infinity()}}));
  CHECK(line["train/loss"].is_null());
  CHECK(line["optim/lr"] == 0.1);
  CHECK(line["nonfinite"] == nlohmann::json({"train/loss", "x"}));
  CHECK_FALSE(nlohmann::json::parse(metric_line("t", "train", 3, {{"train/loss", 1.0}})).contains("nonfinite"));
}

TEST_CASE("text that is not UTF-8 does not stop the journal", "[run]") {
  CHECK_NOTHROW(nlohmann::json::parse(metric_line("t", "event", 1, {{"event", std::string("a\xff\"b\n")}})));
}

TEST_CASE("train, eval and events land in one file, each on its line", "[run]") {
  const TemporaryFolder folder;
  Journal journal(folder.path(), {.csv = true, .tensorboard = false});
  journal.train(5, {{"train/loss", 1.5}});
  journal.eval(5, {{"valid/f1", 0.8}});
  journal.event(6, "method_round", {{"method/svd_s", 0.84}});
  const auto lines = lines_of(folder / "metrics.jsonl");
  REQUIRE(lines.size() == 3);
  CHECK(nlohmann::json::parse(lines[1])["kind"] == "eval");
  const auto event = nlohmann::json::parse(lines[2]);
  CHECK(event["event"] == "method_round");
  CHECK(event["method/svd_s"] == 0.84);
  const auto csv = lines_of(folder / "metrics.csv");
  REQUIRE(csv.size() == 5);
  CHECK(csv[0] == "time,kind,step,name,value");
  CHECK(sst::ends_with(csv[1], ",train,5,train/loss,1.5"));
  CHECK(sst::ends_with(csv[3], ",event,6,event,\"method_round\""));
  CHECK_FALSE(std::filesystem::exists(folder / "tb"));
}

TEST_CASE("after a resume no step is said twice and a torn line is gone", "[run]") {
  const TemporaryFolder folder;
  {
    Journal journal(folder.path(), {.csv = true, .tensorboard = false});
    for (int step = 1; step <= 10; ++step) journal.train(step, {{"train/loss", 1.0 / step}});
  }
  std::ofstream(folder / "metrics.jsonl", std::ios::app) << "{\"v\":1,\"time\":\"2026";
  std::ofstream(folder / "metrics.csv", std::ios::app) << "2026-11-22T12:44:10.231Z,train,1";
  {
    Journal journal(folder.path(), {.csv = true, .tensorboard = false}, 4);
    for (int step = 5; step <= 7; ++step) journal.train(step, {{"train/loss", 1.0 / step}});
  }
  const auto lines = lines_of(folder / "metrics.jsonl");
  REQUIRE(lines.size() == 7);
  for (size_t i = 0; i < lines.size(); ++i) CHECK(nlohmann::json::parse(lines[i])["step"] == i + 1);
  CHECK(lines_of(folder / "metrics.csv").size() == 8);
}

TEST_CASE("a fresh run does not go on in an old file", "[run]") {
  const TemporaryFolder folder;
  { Journal(folder.path(), {.tensorboard = false}).train(1, {{"train/loss", 1.0}}); }
  { Journal(folder.path(), {.tensorboard = false}).train(2, {{"train/loss", 1.0}}); }
  CHECK(lines_of(folder / "metrics.jsonl").size() == 1);
}

TEST_CASE("a journal that cannot be opened says where and why", "[run]") {
  CHECK_THROWS_AS(Journal("/nonexistent/run", {.tensorboard = false}), sst::ResourceError);
  CHECK_THROWS_WITH(Journal("/nonexistent/run", {.tensorboard = false}),
                    "cannot open /nonexistent/run/metrics.jsonl: No such file or directory");
}

TEST_CASE("a full disk is an error, not a silence", "[run]") {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("/dev/full", folder / "metrics.jsonl");
  Journal journal(folder.path(), {.tensorboard = false});
  CHECK_THROWS_AS(journal.train(1, {{"train/loss", 1.0}}), sst::ResourceError);
}

TEST_CASE("the fields of a status carry the documented names", "[run]") {
  TrainStatus status;
  status.loss_nats = 2;
  status.epochs_per_s = 30;
  status.more = {{"manifold/max_violation", 1e-7}};
  std::vector<std::string> names;
  for (const auto& [name, value] : journal_fields(status)) names.push_back(name);
  CHECK(names == std::vector<std::string>{"epoch", "train/loss", "perf/epochs_per_s", "manifold/max_violation"});
  const auto fields = journal_fields(Evaluation{.split = "test", .metrics = {{"f1", 0.8}}, .seconds = 2});
  CHECK(fields[0].first == "test/f1");
  CHECK(fields[1].first == "test/seconds");
}
