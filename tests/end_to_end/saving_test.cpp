#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

// What is saved, how, and what a later run may start from.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;

std::vector<std::string> lm(const std::string& method, const std::string& out, const std::vector<std::string>& more) {
  std::vector<std::string> words = {source("recipes/smoke/lm_" + method + ".yaml"), "--out", out,
                                    "schedule.decay_steps=40"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

TEST_CASE("saving in the background writes the same checkpoints as saving in between", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  for (const std::string async : {"true", "false"})
    REQUIRE(program.run(lm("sst", "async_" + async, {"checkpoint.async=" + async, "checkpoint.every=3"})).code == 0);
  CHECK(program.run({"inspect", "async_true", "--diff", "async_false"}).code == 0);
  CHECK(program
            .run({"inspect", "async_true/checkpoints/step-00000039", "--diff", "async_false/checkpoints/step-00000039"})
            .code == 0);
}

TEST_CASE("a kill inside a save in the background leaves the checkpoint before it", "[end_to_end][slow]") {
  const std::string point =
      GENERATE("checkpoint.start", "checkpoint.after_file", "checkpoint.before_rename", "checkpoint.after_index");
  CAPTURE(point);
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run(lm("sst", "whole", {"checkpoint.every=5"})).code == 0);
  const auto command = lm("sst", "cut", {"checkpoint.every=5"});
  CHECK(program.run(command, {{"SST_FAULT", point + ":3:kill"}}).code == 128 + SIGKILL);
  const Outcome again = program.run(command);
  INFO(again.err);
  REQUIRE(again.code == 0);
  CHECK(program.run({"inspect", "whole", "--diff", "cut"}).code == 0);
}

TEST_CASE("a disk that is full during a save in the background ends the run with 5 and loses nothing", "[end_to_end]") {
  const std::string async = GENERATE("true", "false");
  CAPTURE(async);
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run(lm("full", "whole", {})).code == 0);
  const auto command = lm("full", "cut", {"checkpoint.async=" + async});
  const Outcome full = program.run(command, {{"SST_FAULT", "checkpoint.after_file:8:no_space"}});
  INFO(full.err);
  CHECK(full.code == 5);
  CHECK_THAT(full.err, ContainsSubstring("No space left"));
  CHECK(std::filesystem::exists(folder.path() / "cut/checkpoints/step-00000010/MANIFEST.json"));
  REQUIRE(program.run(command).code == 0);
  CHECK(program.run({"inspect", "whole", "--diff", "cut"}).code == 0);
}

TEST_CASE("weights_only_at_end leaves weights that serve, and a longer run goes on from the save before",
          "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run(lm("sst", "whole", {})).code == 0);
  const std::vector<std::string> more = {"checkpoint.weights_only_at_end=true", "checkpoint.every=10"};
  auto first = lm("sst", "cut", more);
  first.push_back("train.max_steps=20");  // a periodic save would be due here too
  REQUIRE(program.run(first).code == 0);
  const auto manifest =
      nlohmann::json::parse(Program::text_of(folder.path() / "cut/checkpoints/step-00000020/MANIFEST.json"));
  CHECK(manifest["weights_only"] == true);
  CHECK(program.run({"eval", "cut", "--checkpoint", "last"}).code == 0);
  const Outcome longer = program.run(lm("sst", "cut", {"checkpoint.every=10"}));
  INFO(longer.err);
  REQUIRE(longer.code == 0);
  CHECK_THAT(longer.err, ContainsSubstring("resuming step 10"));
  CHECK(program.run({"inspect", "whole", "--diff", "cut"}).code == 0);
}

TEST_CASE("weights that cannot be resumed from are set aside, not overwritten", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  auto first = lm("full", "run", {"checkpoint.weights_only_at_end=true"});
  first.push_back("train.max_steps=8");
  REQUIRE(program.run(first).code == 0);
  const Outcome longer = program.run(lm("full", "run", {}));
  INFO(longer.err);
  REQUIRE(longer.code == 0);
  CHECK_THAT(longer.err, ContainsSubstring("no state of the optimizer"));
  CHECK(std::filesystem::exists(folder.path() / "run/checkpoints/set-aside-step-00000008/model.safetensors"));
}

TEST_CASE("init.optimizer: keep goes on with weights, moments and drawn vectors under another schedule",
          "[end_to_end]") {
  const std::string method = GENERATE("full", "lora", "sst");
  CAPTURE(method);
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run(lm(method, "first", {})).code == 0);
  // The save of step 0, to which a rollback would go, holds what the run started from.
  const Outcome kept = program.run(lm(method, "kept",
                                      {"init.from=first/checkpoints/step-00000040", "train.on_spike=rollback",
                                       "init.optimizer=keep", "train.max_steps=6"}));
  INFO(kept.err);
  REQUIRE(kept.code == 0);
  const Outcome start =
      program.run({"inspect", "first/checkpoints/step-00000040", "--diff", "kept/checkpoints/step-00000000"});
  INFO(start.out);
  CHECK(start.code == 0);
}

TEST_CASE("states that do not fit are refused where the recipe asks for them", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run(lm("lora", "first", {"train.max_steps=6"})).code == 0);
  const std::vector<std::string> keep = {"init.optimizer=keep", "init.from=first"};
  const auto refused = [&](const std::string& method, const std::vector<std::string>& more, const std::string& text) {
    auto words = lm(method, "second", more);
    const Outcome outcome = program.run(words);
    INFO(outcome.err);
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, ContainsSubstring(text));
    CHECK_THAT(outcome.err, ContainsSubstring("init.optimizer"));
  };
  refused("full", keep, "method.name was lora there");
  refused("lora", {"init.optimizer=keep"}, "there is no init.from");
  refused("lora", {keep[0], keep[1], "optim.name=sgd"}, "optim.name was adamw there");
  refused("lora", {keep[0], keep[1], "method.rank=3"}, "lora_a");
  CHECK(program.run(lm("full", "second", {"init.from=first"})).code == 0);
}

}  // namespace sst
