#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/smoke_pairs.hpp"
#include "tests/support/temporary_folder.hpp"

// A translation model from text to BLEU, as a user types it, in both geometries.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;

std::string translation_recipe(const std::string& name) { return source("recipes/smoke/mt_" + name + ".yaml"); }

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a translation model is prepared, trained, and translates line by line", "[end_to_end]") {
  const std::string geometry = GENERATE("full", "lorentz_full");
  CAPTURE(geometry);
  const TemporaryFolder folder;
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  const Outcome prepared = program.run({"prepare", translation_recipe(geometry)});
  INFO(prepared.err);
  REQUIRE(prepared.code == 0);
  CHECK_THAT(prepared.out, ContainsSubstring("train: kept 300 of 300 pairs"));
  const Outcome trained = program.run({translation_recipe(geometry), "--out", "run"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK_THAT(trained.err, ContainsSubstring("tok:13a|smooth:exp"));
  CHECK_THAT(trained.out, ContainsSubstring("test/bleu"));

  const std::string input = (folder.path() / "data/smoke/test.src").string();
  const Outcome translated = program.run({"translate", "run", "--input", input, "--output", "hyp"});
  INFO(translated.err);
  REQUIRE(translated.code == 0);
  const std::string all = contents(folder.path() / "hyp");
  CHECK(std::count(all.begin(), all.end(), '\n') == 20);
  // Neither the size of batches nor another process changes a word.
  CHECK(program.run({"translate", "run", "--input", input, "--batch-tokens", "1"}).out == all);
  const Outcome list = program.run({"translate", "run", "--input", input, "--beam", "3", "--nbest", "3"});
  CHECK(std::count(list.out.begin(), list.out.end(), '\n') == 60);
  CHECK(list.out.rfind("0\t", 0) == 0);

  // What the trainer says of the test split is what the plain scorer says of the files.
  const Outcome scored = program.run({"score", "--hyp", "hyp", "--ref", "data/smoke/test.tgt", "--json"});
  const Outcome evaluated = program.run({"eval", "run", "--json"});
  REQUIRE(scored.code == 0);
  REQUIRE(evaluated.code == 0);
  const auto number_after = [](const std::string& text, const std::string& key) {
    return std::stod(text.substr(text.find(':', text.find(key)) + 1));
  };
  CHECK(number_after(scored.out, "\"score\"") == Approx(number_after(evaluated.out, "test/bleu")).margin(0.006));
}

TEST_CASE("an empty line stays one, and what is no translation model is refused", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  REQUIRE(
      program.run({translation_recipe("full"), "--out", "run", "train.max_steps=2", "schedule.warmup_steps=0"}).code ==
      0);
  std::ofstream(folder.path() / "in") << "a b\n\nc\n";
  const Outcome translated = program.run({"translate", "run", "--input", "in"});
  INFO(translated.err);
  REQUIRE(translated.code == 0);
  const size_t first = translated.out.find('\n');
  CHECK(translated.out[first + 1] == '\n');
  CHECK(program.run({"generate", "run", "--prompt", "a"}).code == 2);
}

TEST_CASE("translate lower-cases as training did, and an unknown word is replaced by the source's own",
          "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  REQUIRE(
      program.run({translation_recipe("full"), "--out", "run", "data.lowercase=true", "tokenizer.sampling_alpha=0.1"})
          .code == 0);
  std::ofstream(folder.path() / "lower") << "a b c\nd e\n";
  std::ofstream(folder.path() / "upper") << "A B C\nD E\n";
  const Outcome lower = program.run({"translate", "run", "--input", "lower", "eval.decode.beam_size=1"});
  INFO(lower.err);
  REQUIRE(lower.code == 0);
  CHECK(lower.out == program.run({"translate", "run", "--input", "upper", "eval.decode.beam_size=1"}).out);
}

TEST_CASE("the mean of checkpoints translates where the data are not", "[end_to_end]") {
  const std::string recipe = GENERATE("sst", "lorentz_full");
  CAPTURE(recipe);
  const TemporaryFolder folder;
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({translation_recipe(recipe), "--out", "run", "train.ema=0.9"}).code == 0);
  const Outcome averaged = program.run({"average", "run", "--last", "2", "--out", "mean"});
  INFO(averaged.err);
  REQUIRE(averaged.code == 0);
  CHECK(program.run({"eval", "mean", "--json"}).code == 0);
  std::filesystem::rename(folder.path() / "data", folder.path() / "elsewhere");
  std::ofstream(folder.path() / "in") << "a b\n";
  const Outcome translated = program.run({"translate", "mean", "--input", "in"});
  INFO(translated.err);
  CHECK(translated.code == 0);
  CHECK(program.run({"translate", "run", "--input", "in", "--weights", "ema"}).code == 0);
  CHECK(program.run({"average", "run", "--last", "9", "--out", "more"}).code == 2);
}

TEST_CASE("a translation run cut at any step and continued ends with the weights of an unbroken run",
          "[end_to_end][slow]") {
  const std::string geometry = GENERATE("", "lorentz_"),
                    method = GENERATE("full", "lora", "relora", "galore", "dora", "vera", "lowrank", "sst");
  CAPTURE(geometry, method);
  const TemporaryFolder folder;
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  const Outcome whole = program.run({translation_recipe(geometry + method), "--out", "whole"});
  INFO(whole.err);
  REQUIRE(whole.code == 0);
  for (const int steps : {6, 8, 13, 40})
    REQUIRE(
        program.run({translation_recipe(geometry + method), "--out", "cut", "train.max_steps=" + std::to_string(steps)})
            .code == 0);
  const Outcome diff = program.run({"inspect", "whole", "--diff", "cut"});
  INFO(diff.out << diff.err);
  CHECK(diff.code == 0);
}

TEST_CASE("a translation recipe's mistakes are located", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  const auto refused = [&](const std::vector<std::string>& overrides, const std::string& what) {
    std::vector<std::string> words = {"validate", translation_recipe("full")};
    words.insert(words.end(), overrides.begin(), overrides.end());
    const Outcome outcome = program.run(words);
    INFO(what << "\n" << outcome.err);
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, ContainsSubstring(what));
  };
  refused({"train.global_batch_tokens=100"}, "E-batch");
  refused({"train.max_sentences=8"}, "E-batch");
  refused({"model.num_heads=3"}, "E-model");
  refused({"model.tie_embeddings=all"}, "E-tied");
  refused({"tokenizer.type=bytes"}, "E-tokenizer");
  refused({"data.test.src=smoke/train.src"}, "E-same-file");
  refused({"model.geometry=lorentz"}, "E-optimizer");
  std::ofstream(folder.path() / "data/smoke/valid.tgt", std::ios::app) << "one more\n";
  const Outcome uneven = program.run({translation_recipe("full"), "--out", "run"});
  CHECK(uneven.code == 3);
  CHECK_THAT(uneven.err, ContainsSubstring("valid.tgt"));
}

}  // namespace sst
