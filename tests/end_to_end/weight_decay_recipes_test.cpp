#include <tuple>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/smoke_images.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

// Every recipe of recipes/weight_decay, all points of its sweep, at a few steps of a tiny model.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;

using Words = std::vector<std::string>;

/// What makes a language model of these recipes tiny.
const Words kTinyLm = {
    "data.format=text",       "data.train=smoke/train.txt",   "data.valid=smoke/valid.txt", "data.valid_fraction=null",
    "data.seq_len=16",        "tokenizer.type=bytes",         "tokenizer.model=null",       "tokenizer.pad_vocab_to=1",
    "model.preset=null",      "model.hidden_size=16",         "model.num_layers=1",         "model.num_heads=2",
    "model.max_positions=16", "train.global_batch_tokens=32", "train.max_steps=3",          "schedule.decay_steps=null",
    "eval.every=3",           "eval.max_batches=1",           "checkpoint.every=3"};

Words joined(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string decay_recipe(const std::string& name) { return source("recipes/weight_decay/" + name + ".yaml"); }

void check_sweep(const Program& program, const std::string& name, const Words& overrides) {
  CAPTURE(name);
  const Outcome swept = program.run(joined({"sweep", decay_recipe(name)}, overrides));
  INFO(swept.out << swept.err);
  CHECK(swept.code == 0);
}

}  // namespace

TEST_CASE("the recipes of the weight-decay study train, branch off and match", "[end_to_end][slow]") {
  const auto [study, decays, steps, others] =
      GENERATE(std::tuple<std::string, Words, Words, Words>(
                   "small", {"0", "0.2", "0.6"}, {"00001000", "00003000", "00005000"}, {"_controls", "_stress"}),
               std::tuple<std::string, Words, Words, Words>(
                   "gpt2_124m", {"0", "0.1", "0.3"}, {"00010000", "00020000", "00030000", "00040000", "00050000"},
                   {"_all", "_sgd", "_l2", "_bf16", "_slow"}));
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  const Words climbing = joined(kTinyLm, {"schedule.warmup_steps=1"}),
              flat = joined(kTinyLm, {"schedule.warmup_steps=0"});
  for (const std::string& decay : decays) {
    const std::string run = "runs/weight_decay/" + study + "/" + decay;
    const Outcome trained = program.run(
        joined({decay_recipe(study), "optim.weight_decay=" + decay, "--out", run, "logging.weights=1"}, climbing));
    INFO(trained.err);
    REQUIRE(trained.code == 0);
    for (const std::string& step : steps)  // the branches start from steps that a tiny run does not have
      std::filesystem::copy(folder / run / "checkpoints/step-00000003",
                            folder / run / "checkpoints" / ("step-" + step));
  }
  check_sweep(program, study + "_constant", climbing);
  check_sweep(program, study + "_tiny", flat);
  check_sweep(program, study + "_matched", flat);
  for (const std::string& other : others) check_sweep(program, study + other, climbing);
}

TEST_CASE("the over-training recipe trains on images, with its drop of the rate", "[end_to_end][slow]") {
  const TemporaryFolder folder;
  testing::write_smoke_images(folder.path());
  const Program program(folder.path());
  Words files;
  for (const std::string split : {"train", "test"})
    for (const std::string part : {"images", "labels"})
      files.push_back("data." + split + "." + part + "=smoke/" + split + "-" + part);
  check_sweep(
      program, "overtraining_digits",
      joined(files, {"train.max_epochs=4", "schedule.step_size=2epoch", "model.hidden_size=16", "eval.every=1epoch"}));
}

}  // namespace sst
