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

TEST_CASE("the recipes of the small weight-decay study train, branch off and match", "[end_to_end][slow]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  Words tiny = joined(kTinyLm, {"schedule.warmup_steps=1"});
  for (const std::string decay : {"0", "0.2", "0.6"}) {
    const Outcome trained = program.run(joined({decay_recipe("small"), "optim.weight_decay=" + decay, "--out",
                                                "runs/weight_decay/small/" + decay, "logging.weights=1"},
                                               tiny));
    INFO(trained.err);
    REQUIRE(trained.code == 0);
    // The branches start from steps that a tiny run does not have.
    for (const std::string step : {"step-00001000", "step-00003000", "step-00005000"})
      std::filesystem::copy(folder / ("runs/weight_decay/small/" + decay) / "checkpoints/step-00000003",
                            folder / ("runs/weight_decay/small/" + decay) / "checkpoints" / step);
  }
  const Words flat = joined(kTinyLm, {"schedule.warmup_steps=0"});
  for (const std::string name : {"small_constant", "small_controls"}) check_sweep(program, name, tiny);
  check_sweep(program, "small_tiny", flat);
  check_sweep(program, "small_matched", joined(flat, {"precision.compute=bf16"}));
  check_sweep(program, "small_stress", tiny);
}

TEST_CASE("the published weight-decay runs are recipes that train", "[end_to_end][slow]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  const Words tiny = joined(kTinyLm, {"schedule.warmup_steps=1"});
  for (const std::string name : {"gpt2_124m", "gpt2_124m_constant", "gpt2_124m_all", "gpt2_124m_sgd", "gpt2_124m_l2"})
    check_sweep(program, name, tiny);
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
