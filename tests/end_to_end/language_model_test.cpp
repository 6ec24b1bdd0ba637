#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/smoke_recipes.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

// A language model from raw text to checkpoint, generation and export, as a user types it.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;

std::string recipe_for(const std::string& method) { return source("recipes/smoke/lm_" + method + ".yaml"); }

}  // namespace

TEST_CASE("a language model is prepared, trained, scored, continued and exported", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
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
  const std::string method = GENERATE(from_range(testing::smoke_methods()));
  CAPTURE(method);
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
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
  testing::write_smoke_texts(folder.path());
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

TEST_CASE("perplexity per word is that of all nats over the words of the text, whatever the tokenizer",
          "[end_to_end]") {
  const std::string tokenizer = GENERATE("characters", "bytes", "whitespace");
  CAPTURE(tokenizer);
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program
              .run({recipe_for("full"), "--out", "run", "tokenizer.type=" + tokenizer, "eval.metrics=[ppl_word]",
                    "train.max_steps=10"})
              .code == 0);
  const auto results = nlohmann::json::parse(program.run({"eval", "run", "--json"}).out).at("results");
  const std::string text = Program::text_of(folder / "data/smoke/valid.txt");
  std::stringstream words(text);
  const auto count = std::distance(std::istream_iterator<std::string>(words), std::istream_iterator<std::string>());
  // Every token but the first is predicted; the words are followed by </s>.
  const auto predicted =
      tokenizer == "whitespace" ? count : static_cast<int64_t>(text.size()) - (tokenizer == "characters");
  CHECK(std::log(results.at("valid/ppl_word").get<double>()) ==
        Approx(results.at("valid/loss").get<double>() * static_cast<double>(predicted) / static_cast<double>(count)));
}

TEST_CASE("perplexity per word is refused where words cannot be known", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  const Outcome part = program.run({"validate", recipe_for("full"), "eval.metrics=[ppl_word]", "eval.max_batches=1"});
  CHECK(part.code == 2);
  CHECK_THAT(part.err, ContainsSubstring("'eval.max_batches' evaluates a part of the text"));
  const Outcome tokens = program.run({"validate", recipe_for("full"), "checkpoint.best_metric=valid/ppl_word",
                                      "data.format=tokens", "data.train=a.bin", "tokenizer.type=bytes"});
  CHECK(tokens.code == 2);
  CHECK_THAT(tokens.err, ContainsSubstring("which token files do not keep"));
}

TEST_CASE("layers are measured at their interval, and measuring changes nothing", "[end_to_end]") {
  const std::string recipe = GENERATE(as<std::string>(), "lm_sst", "lm_lora", "graph_nc_sst");
  CAPTURE(recipe);
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  const std::string path = source("recipes/smoke/" + recipe + ".yaml");
  const Outcome measured = program.run({path, "--out", "measured", "train.max_steps=20", "logging.per_layer=8"});
  INFO(measured.err);
  REQUIRE(measured.code == 0);
  REQUIRE(program.run({path, "--out", "plain", "train.max_steps=20"}).code == 0);
  CHECK(program.run({"inspect", "measured", "--diff", "plain"}).code == 0);

  std::vector<int64_t> steps;
  std::stringstream lines(Program::text_of(folder / "measured/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const auto entry = nlohmann::json::parse(line);
    if (entry.at("kind") != "layers") continue;
    steps.push_back(entry.at("step"));
    const std::string layer =
        recipe == "graph_nc_sst" ? "layer/encoder.layers.0.linear.weight/" : "layer/model.decoder.layers.1.fc1/";
    for (const char* measure : {"weight_norm", "grad_norm", "sigma_max", "sigma_min", "sigma_mean", "effective_rank"})
      CHECK(entry.at(layer + measure).get<double>() >= 0);
    CHECK(entry.contains(layer + "sigma") == (recipe != "lm_lora"));
  }
  CHECK(steps == std::vector<int64_t>{8, 16});
  CHECK_THAT(Program::text_of(folder / "measured/report.html"), ContainsSubstring("<h2>Layers</h2>"));
}

TEST_CASE("attention spelt out is the fused kernel's to rounding, and flash refuses dropped weights", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  std::vector<double> losses;
  for (const std::string kind : {"math", "flash"}) {
    const Outcome trained =
        program.run({recipe_for("full"), "--out", kind, "runtime.attention=" + kind, "train.max_steps=6"});
    INFO(trained.err);
    REQUIRE(trained.code == 0);
    losses.push_back(nlohmann::json::parse(program.run({"eval", kind, "--json"}).out).at("results").at("valid/loss"));
  }
  CHECK(losses[0] == Approx(losses[1]).epsilon(1e-4));
  const Outcome dropped =
      program.run({"validate", recipe_for("full"), "runtime.attention=flash", "model.attention_dropout=0.1"});
  CHECK(dropped.code == 2);
  CHECK_THAT(dropped.err, ContainsSubstring("E-attention"));
}

TEST_CASE("weights start as init.scheme says, and its deviation belongs to normal alone", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  CHECK(program.run({recipe_for("full"), "--out", "run", "init.scheme=normal", "init.std=0.1", "train.max_steps=6"})
            .code == 0);
  CHECK(program.run({"validate", recipe_for("full"), "init.std=0.1"}).code == 2);
}

TEST_CASE("questions of an llm.c file are answered", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({recipe_for("full"), "--out", "run", "train.max_steps=6"}).code == 0);
  const auto write_file = [&](const std::string& name, uint16_t last_id) {
    // 65535, bytes, index, label, completions; "\n abdilmnou" are ids 0 to 10.
    const std::vector<uint16_t> example = {65535, 30, 0, 1, 2,      /*context*/ 3, 3, 2, 1, /*completions*/ 2,
                                           6,     9,  2, 3, last_id};
    std::vector<int32_t> header(256);
    header[0] = 20240522, header[1] = 1, header[2] = 1, header[3] = 30;
    std::ofstream file(folder / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(header.data()), 1024);
    file.write(reinterpret_cast<const char*>(example.data()), static_cast<std::streamsize>(2 * example.size()));
  };
  write_file("questions.bin", 2);
  write_file("other.bin", 50000);
  const Outcome answered =
      program.run({"eval", "run", "--choices", "questions.bin", "--json", "--require", "choices/accuracy>=0"});
  INFO(answered.out << answered.err);
  REQUIRE(answered.code == 0);
  const auto results = nlohmann::json::parse(answered.out).at("results");
  CHECK(results.at("choices/examples") == 1);
  CHECK(results.at("choices/accuracy") == results.at("choices/accuracy_norm"));  // both completions have two tokens
  const Outcome other = program.run({"eval", "run", "--choices", "other.bin"});
  CHECK(other.code == 3);
  CHECK_THAT(other.err, ContainsSubstring("id 50000 is none of the tokenizer's"));
}

TEST_CASE("what updates within backward cannot do is refused where it is asked for", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  const Outcome clipped = program.run({"validate", recipe_for("galore"), "optim.grad_clip=1"});
  CHECK(clipped.code == 2);
  CHECK_THAT(clipped.err, ContainsSubstring("E-layerwise") && ContainsSubstring("'optim.grad_clip' is 1"));
  const Outcome parts = program.run({"validate", recipe_for("galore"), "train.micro_batch=2"});
  CHECK(parts.code == 2);
  CHECK_THAT(parts.err, ContainsSubstring("E-layerwise") && ContainsSubstring("use train.micro_batch: 4"));
  for (const std::string method : {"galore", "lowrank"}) {
    const Outcome rounded =
        program.run({"validate", recipe_for(method), "precision=bf16_pure", "precision.stochastic_rounding=true"});
    INFO(rounded.err);
    CHECK(rounded.code == 2);
    CHECK_THAT(rounded.err, ContainsSubstring("'precision.stochastic_rounding' rounds updates of whole tensors, but"));
  }
  const Outcome foreign = program.run({"validate", recipe_for("lora"), "optim.name=lowrank_adam"});
  CHECK(foreign.code == 2);
  CHECK_THAT(foreign.err, ContainsSubstring("E-optimizer") && ContainsSubstring("method.name: lowrank"));
}

TEST_CASE("a layerwise run has the weights of an ordinary one", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({recipe_for("galore"), "--out", "layerwise"}).code == 0);
  REQUIRE(program.run({recipe_for("galore"), "--out", "ordinary", "method.layerwise=false"}).code == 0);
  const Outcome diff = program.run({"inspect", "layerwise", "--diff", "ordinary"});
  INFO(diff.out << diff.err);
  CHECK(diff.code == 0);
}

TEST_CASE("an exported model of a method that stores only a seed is the trained one", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({recipe_for("vera"), "--out", "run", "seed=5"}).code == 0);
  const Outcome exported = program.run({"export", "run", "--out", "hf"});
  INFO(exported.err);
  REQUIRE(exported.code == 0);
  CHECK_THAT(exported.out, ContainsSubstring("logit difference is 0"));
}

TEST_CASE("data that were not prepared, or do not fit the step, end with 3 or a located error", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
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
