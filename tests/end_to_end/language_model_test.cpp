#include <filesystem>
#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/temporary_folder.hpp"

// A language model from raw text to checkpoint, generation and export, as a user types it.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;

/// A folder data/smoke with two small texts of made words.
void write_texts(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / "data/smoke");
  const char* words[] = {"ba ", "lo ", "ni ", "do ", "mu ", "\n"};
  for (const auto& [name, count, start] : {std::tuple{"train.txt", 800, 1}, {"valid.txt", 120, 5}}) {
    std::ofstream file(folder / "data/smoke" / name);
    unsigned state = static_cast<unsigned>(start);
    for (int i = 0; i < count; ++i) file << words[(state = state * 1103515245U + 12345U) / 65536U % 6];
  }
}

std::string recipe_for(const std::string& method) { return source("recipes/smoke/lm_" + method + ".yaml"); }

}  // namespace

TEST_CASE("a language model is prepared, trained, scored, continued and exported", "[end_to_end]") {
  const TemporaryFolder folder;
  write_texts(folder.path());
  const Program program(folder.path());
  const Outcome prepared = program.run({"prepare", recipe_for("sst")});
  INFO(prepared.err);
  REQUIRE(prepared.code == 0);
  CHECK_THAT(prepared.out, ContainsSubstring("train: "));
  const Outcome trained = program.run({recipe_for("sst"), "--out", "run"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK_THAT(trained.err, ContainsSubstring("valid/ppl_token"));

  const Outcome text = program.run({"generate", "run", "--prompt", "ba lo", "--max-new-tokens", "12"});
  INFO(text.err);
  REQUIRE(text.code == 0);
  CHECK(text.out.rfind("ba lo", 0) == 0);
  CHECK(text.out == program.run({"generate", "run", "--prompt", "ba lo", "--max-new-tokens", "12"}).out);
  CHECK(program.run({"generate", "run", "--prompt", "", "--max-new-tokens", "12"}).code == 2);

  const Outcome scores = program.run({"eval", "run", "--require", "valid/loss<=2.2"});
  INFO(scores.out << scores.err);
  CHECK(scores.code == 0);

  const Outcome exported = program.run({"export", "run", "--out", "hf"});
  INFO(exported.err);
  REQUIRE(exported.code == 0);
  CHECK_THAT(exported.out, ContainsSubstring("logit difference is 0"));
  CHECK(std::filesystem::exists(folder.path() / "hf/model.safetensors"));
}

TEST_CASE("a language model cut at any step and continued ends with the weights of an unbroken run",
          "[end_to_end][slow]") {
  const std::string method = GENERATE("full", "lora", "relora", "galore", "dora", "vera", "lowrank", "sst");
  CAPTURE(method);
  const TemporaryFolder folder;
  write_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({recipe_for(method), "--out", "whole"}).code == 0);
  for (const int steps : {6, 8, 13, 24, 40})
    REQUIRE(program
                .run({recipe_for(method), "--out", "cut", "schedule.decay_steps=40",
                      "train.max_steps=" + std::to_string(steps)})
                .code == 0);
  const Outcome diff = program.run({"inspect", "whole", "--diff", "cut"});
  INFO(diff.out << diff.err);
  CHECK(diff.code == 0);
}

TEST_CASE("how a step is cut into micro-batches changes no more than rounding", "[end_to_end]") {
  const TemporaryFolder folder;
  write_texts(folder.path());
  const Program program(folder.path());
  for (const std::string micro : {"1", "2", "4"})
    REQUIRE(program
                .run({recipe_for("full"), "--out", "micro" + micro, "precision=fp64", "train.micro_batch=" + micro,
                      "train.recompute=" + std::string(micro == "2" ? "blocks" : "none")})
                .code == 0);
  const auto loss_of = [&](const std::string& run) {
    const Outcome scores = program.run({"eval", run, "--checkpoint", "last", "--json"});
    return scores.out.substr(scores.out.find("valid/loss"), 24);
  };
  CHECK(loss_of("micro1") == loss_of("micro4"));
  CHECK(loss_of("micro2") == loss_of("micro4"));
}

TEST_CASE("what updates within backward cannot do is refused where it is asked for", "[end_to_end]") {
  const TemporaryFolder folder;
  write_texts(folder.path());
  const Program program(folder.path());
  const Outcome clipped = program.run({"validate", recipe_for("galore"), "optim.grad_clip=1"});
  CHECK(clipped.code == 2);
  CHECK_THAT(clipped.err, ContainsSubstring("E-layerwise") && ContainsSubstring("'optim.grad_clip' is 1"));
  const Outcome parts = program.run({"validate", recipe_for("galore"), "train.micro_batch=2"});
  CHECK(parts.code == 2);
  CHECK_THAT(parts.err, ContainsSubstring("E-layerwise") && ContainsSubstring("use train.micro_batch: 4"));
  const Outcome foreign = program.run({"validate", recipe_for("lora"), "optim.name=lowrank_adam"});
  CHECK(foreign.code == 2);
  CHECK_THAT(foreign.err, ContainsSubstring("E-optimizer") && ContainsSubstring("method.name: lowrank"));
}

TEST_CASE("a layerwise run has the weights of an ordinary one", "[end_to_end]") {
  const TemporaryFolder folder;
  write_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({recipe_for("galore"), "--out", "layerwise"}).code == 0);
  REQUIRE(program.run({recipe_for("galore"), "--out", "ordinary", "method.layerwise=false"}).code == 0);
  const Outcome diff = program.run({"inspect", "layerwise", "--diff", "ordinary"});
  INFO(diff.out << diff.err);
  CHECK(diff.code == 0);
}

TEST_CASE("an exported model of a method that stores only a seed is the trained one", "[end_to_end]") {
  const TemporaryFolder folder;
  write_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({recipe_for("vera"), "--out", "run", "seed=5"}).code == 0);
  const Outcome exported = program.run({"export", "run", "--out", "hf"});
  INFO(exported.err);
  REQUIRE(exported.code == 0);
  CHECK_THAT(exported.out, ContainsSubstring("logit difference is 0"));
}

TEST_CASE("data that were not prepared, or do not fit the step, end with 3 or a located error", "[end_to_end]") {
  const TemporaryFolder folder;
  write_texts(folder.path());
  const Program program(folder.path());
  const Outcome missing = program.run({recipe_for("full"), "data.train=smoke/nowhere.txt"});
  CHECK(missing.code == 3);
  CHECK_THAT(missing.err, ContainsSubstring("nowhere.txt"));
  const Outcome uneven = program.run({"validate", recipe_for("full"), "train.global_batch_tokens=70"});
  CHECK(uneven.code == 2);
  CHECK_THAT(uneven.err, ContainsSubstring("E-batch"));
  const Outcome graph_key = program.run({"validate", recipe_for("full"), "data.dataset=cora"});
  CHECK(graph_key.code == 2);
}

}  // namespace sst
