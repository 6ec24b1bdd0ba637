#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/smoke_images.hpp"
#include "tests/support/smoke_recipes.hpp"
#include "tests/support/temporary_folder.hpp"

// Image classification from idx files to a report, as a user types it.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;

std::string image_recipe(const std::string& method) { return source("recipes/smoke/image_" + method + ".yaml"); }

}  // namespace

TEST_CASE("images are learnt by every method, and each split has accuracy and loss", "[end_to_end]") {
  const std::string method = GENERATE(from_range(testing::smoke_methods()));
  CAPTURE(method);
  const TemporaryFolder folder;
  testing::write_smoke_images(folder.path());
  const Program program(folder.path());
  const Outcome trained = program.run({image_recipe(method), "--out", "run"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const Outcome scores = program.run(
      {"eval", "run", "--split", "train_set", "--split", "test", "--json", "--require", "test/accuracy>=0.6"});
  INFO(scores.out << scores.err);
  CHECK(scores.code == 0);
  const auto results = nlohmann::json::parse(scores.out).at("results");
  for (const char* name : {"train_set/accuracy", "train_set/loss", "test/accuracy", "test/loss"})
    CHECK(results.contains(name));
  CHECK_THAT(Program::text_of(folder / "run/report.md"), ContainsSubstring("accuracy"));
}

TEST_CASE("an image run cut at any step and continued ends with the weights of an unbroken run", "[end_to_end][slow]") {
  const std::string method = GENERATE(from_range(testing::smoke_methods()));
  CAPTURE(method);
  const TemporaryFolder folder;
  testing::write_smoke_images(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({image_recipe(method), "--out", "whole", "model.dropout=0.1"}).code == 0);
  // Inside an epoch, at its end, and between checkpoints; a killed process in between.
  for (const int steps : {4, 6, 13})
    REQUIRE(program
                .run({image_recipe(method), "--out", "cut", "model.dropout=0.1",
                      "train.max_steps=" + std::to_string(steps)})
                .code == 0);
  const std::vector<std::string> rest = {image_recipe(method), "--out", "cut", "model.dropout=0.1",
                                         "train.max_steps=48"};
  program.run(rest, {{"SST_FAULT", "checkpoint.after_file:2:kill"}});
  REQUIRE(program.run(rest).code == 0);
  const Outcome diff = program.run({"inspect", "whole", "--diff", "cut"});
  INFO(diff.out << diff.err);
  CHECK(diff.code == 0);
}

TEST_CASE("an image recipe says what it lacks, where", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  CHECK(program.run({"validate", image_recipe("full")}).code == 0);  // absent data are a note
  CHECK(program.run({image_recipe("full")}).code == 3);
  testing::write_smoke_images(folder.path());
  const auto refused = [&](const std::vector<std::string>& overrides, const std::string& message, int code = 2) {
    std::vector<std::string> words = {"validate", image_recipe("full")};
    words.insert(words.end(), overrides.begin(), overrides.end());
    const Outcome outcome = program.run(words);
    CAPTURE(overrides);
    CHECK(outcome.code == code);
    CHECK_THAT(outcome.err, ContainsSubstring(message));
  };
  refused({"data.valid_fraction=0"}, "there is no such split [E-splits]");
  refused({"data.valid_fraction=0.001"}, "holds out none of", 3);
  refused({"train.micro_batch=auto"}, "must be a whole number [E-type]");
  refused({"data.test.images=smoke/train-images"}, "two splits name the same images [E-same-file]");
  refused({"data.test.labels=smoke/train-labels"}, "holds 90 labels [E-data]", 3);
  refused({"method.name=lora", "method.rank=30"}, "but layer layers.0 is 24 x 36 [E-rank]");
  const Outcome all = program.run({image_recipe("full"), "--out", "all", "data.valid_fraction=0", "eval.splits=[test]",
                                   "eval.checkpoint=last", "train.max_steps=4"});
  INFO(all.err);
  CHECK(all.code == 0);
  const Outcome none = program.run({"eval", "all", "--split", "valid"});
  CHECK(none.code == 2);
  CHECK_THAT(none.err, ContainsSubstring("use train_set or test"));
}

}  // namespace sst
