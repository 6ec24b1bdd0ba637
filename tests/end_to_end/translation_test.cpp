#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/smoke_pairs.hpp"
#include "tests/support/smoke_recipes.hpp"
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

nlohmann::json json_of(const Outcome& outcome) {
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  return nlohmann::json::parse(outcome.out);
}

std::string step_name(int64_t step) {
  const std::string digits = std::to_string(step);
  return "step-" + std::string(8 - digits.size(), '0') + digits;
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

  // What the trainer says of the test split is what the plain scorer says of the files, signature included.
  const auto scored = json_of(
      program.run({"score", "--hyp", "hyp", "--ref", "data/smoke/test.tgt", "--metrics", "bleu,chrf", "--json"}));
  const auto evaluated = json_of(program.run({"eval", "run", "--json"}));
  CHECK(evaluated.at("results").at("test/bleu") == scored.at("scores")[0].at("score"));
  CHECK(evaluated.at("results").at("test/chrf") == scored.at("scores")[1].at("score"));
  CHECK(evaluated.at("signatures").at("test/chrf") == scored.at("scores")[1].at("signature"));
  const std::string signature = scored.at("scores")[0].at("signature");
  CHECK(evaluated.at("signatures").at("test/bleu") == signature);
  for (const std::string& text : {program.run({"eval", "run"}).out, contents(folder.path() / "run/metrics.jsonl"),
                                  contents(folder.path() / "run/report.md"), trained.err, trained.out})
    CHECK_THAT(text, ContainsSubstring(signature));
  CHECK_THAT(contents(folder.path() / "run/report.md"), ContainsSubstring("| test BLEU |"));

  const std::string step = step_name(evaluated.at("step"));
  CHECK(contents(folder.path() / "run/eval" / step / "test.hyp.txt") == all);
  const auto scores = nlohmann::json::parse(contents(folder.path() / "run/eval/step-00000010/valid.scores.json"));
  CHECK(scores.at("signatures").at("bleu") == signature);
  CHECK(scores.at("metrics").at("bleu").is_number());
  CHECK(scores.at("examples") == 20);
  CHECK_THAT(contents(folder.path() / "run/eval/step-00000010/samples.txt"), ContainsSubstring("valid 1\n  source "));
}

TEST_CASE("a pair's log-probability is what the search found, and malformed input loses nothing", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({translation_recipe("full"), "--out", "run", "model.max_positions=12"}).code == 0);
  const std::string input = (folder.path() / "data/smoke/test.src").string();
  const auto translated =
      json_of(program.run({"translate", "run", "--input", input, "--json", "eval.decode.length_norm=none"}));
  std::ofstream hypotheses(folder.path() / "hyp");
  for (const auto& line : translated) hypotheses << line.at("translations")[0].at("text").get<std::string>() << "\n";
  hypotheses.close();
  const auto scored = json_of(program.run({"score", "run", "--src", input, "--tgt", "hyp", "--json"}));
  REQUIRE(scored.at("pairs").size() == 20);
  for (size_t i = 0; i < 20; ++i)
    CHECK(scored.at("pairs")[i].at("log_p").get<double>() ==
          Approx(translated[i].at("translations")[0].at("score").get<double>()).margin(1e-4));
  CHECK(program.run({"score", "run", "--src", input}).code == 2);

  std::ofstream(folder.path() / "in") << "a b\nc d\na \xff b\ne f\n";
  std::ofstream(folder.path() / "long") << "a b\na a a a a a a a a a a a a a\n";
  for (const auto& [name, lines, what] :
       {std::tuple{"in", 2, "line 3 of the input: "}, {"long", 1, "line 2 of the input: the sentence has 14 tokens"}}) {
    Program reading = program;
    reading.input = folder.path() / name;
    const Outcome refused = reading.run({"translate", "run"});
    CHECK(refused.code == 3);
    CHECK_THAT(refused.err, ContainsSubstring(what));
    CHECK(std::count(refused.out.begin(), refused.out.end(), '\n') == lines);
  }
  const Outcome validated = program.run({"validate", translation_recipe("full"), "model.max_positions=5"});
  CHECK(validated.code == 3);
  CHECK_THAT(validated.err, ContainsSubstring("E-data") && ContainsSubstring("valid.src:") &&
                                ContainsSubstring("the model takes at most 5"));
}

TEST_CASE("a translation model is exported under its own names, merged", "[end_to_end]") {
  const std::string recipe = GENERATE("sst", "lorentz_lora");
  CAPTURE(recipe);
  const TemporaryFolder folder;
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({translation_recipe(recipe), "--out", "run", "train.max_steps=10"}).code == 0);
  const Outcome exported = program.run({"export", "run", "--format", "safetensors", "--out", "exported"});
  INFO(exported.err);
  REQUIRE(exported.code == 0);
  CHECK_THAT(exported.out, ContainsSubstring("the largest weight difference is 0"));
  const auto config = nlohmann::json::parse(contents(folder.path() / "exported/config.json"));
  CHECK(config.at("model").at("hidden_size") == 16);
  CHECK(config.at("vocabulary").at("end") == 3);
  const Outcome inspected = program.run({"inspect", "exported/model.safetensors"});
  CHECK_THAT(inspected.out, ContainsSubstring("encoder.layers.0.self_attn.q_proj.weight"));
  CHECK_THAT(inspected.out, !ContainsSubstring("lora_a") && !ContainsSubstring("sigma"));
  CHECK(std::filesystem::exists(folder.path() / "exported/tgt.vocab"));
  CHECK(program.run({"export", "run", "--out", "hf"}).code == 2);
}

TEST_CASE("a stop within an evaluation saves, and the run goes on as if there had been none", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  const auto evaluations = [&](const std::string& run) {
    std::vector<nlohmann::json> lines;
    std::ifstream file(folder.path() / run / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) {
      auto entry = nlohmann::json::parse(line);
      if (entry.at("kind") != "eval") continue;
      entry.erase("time");
      entry.erase("valid/seconds");
      lines.push_back(entry);
    }
    return lines;
  };
  const std::vector<std::string> more = {"eval.patience=9", "checkpoint.best_metric=valid/bleu", "train.ema=0.9"};
  const auto command = [&](const std::string& out) {
    std::vector<std::string> words = {translation_recipe("sst"), "--out", out};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  REQUIRE(program.run(command("whole")).code == 0);
  // An evaluation has four batches, two of them of the averages; the last ones are of valid and test at the end.
  for (const int batch : {1, 7, 16, 18, 24}) {
    CAPTURE(batch);
    const std::string run = "cut" + std::to_string(batch);
    const Outcome stopped =
        program.run(command(run), {{"SST_FAULT", "evaluation.batch:" + std::to_string(batch) + ":stop"}});
    INFO(stopped.err);
    REQUIRE(stopped.code == 75);
    CHECK_FALSE(std::filesystem::exists(folder.path() / run / "DONE"));
    const Outcome resumed = program.run(command(run));
    INFO(resumed.err);
    REQUIRE(resumed.code == 0);
    const Outcome diff = program.run({"inspect", "whole", "--diff", run});
    INFO(diff.out << diff.err);
    CHECK(diff.code == 0);
    CHECK(program.run({"inspect", "whole/checkpoints/best", "--diff", run + "/checkpoints/best"}).code == 0);
    CHECK(evaluations("whole") == evaluations(run));
  }
}

TEST_CASE("tokens count in translation as they do elsewhere", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  const Outcome trained =
      program.run({translation_recipe("full"), "--out", "run", "train.max_steps=null", "train.max_train_tokens=2000",
                   "eval.every=500token", "eval.max_batches=2", "data.shuffle=false", "data.num_workers=3"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  std::vector<int64_t> steps;
  int64_t examples = 0, tokens = 0;
  std::ifstream file(folder.path() / "run/metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto entry = nlohmann::json::parse(line);
    if (entry.at("kind") == "train") tokens = entry.at("tokens");
    if (entry.at("kind") != "eval") continue;
    steps.push_back(entry.at("step"));
    examples = entry.at("valid/examples");
  }
  REQUIRE(steps.size() >= 2);
  CHECK(steps[1] == 2 * steps[0]);
  CHECK(tokens > 1500);
  CHECK(tokens < 2500);
  CHECK((examples > 2 && examples < 20));
  CHECK_THAT(trained.err, ContainsSubstring("of which the first " + std::to_string(examples) + " are evaluated"));
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
  CHECK(program.run({"average", "run/checkpoints/last", "--last", "2", "--out", "more"}).code == 2);
  const Outcome nowhere = program.run({"average", "nowhere", "--last", "2", "--out", "more"});
  CHECK(nowhere.code == 4);
  CHECK_THAT(nowhere.err, ContainsSubstring("'nowhere' does not exist"));
}

TEST_CASE("a translation run cut at any step and continued ends with the weights of an unbroken run",
          "[end_to_end][slow]") {
  const std::string geometry = GENERATE("", "lorentz_"), method = GENERATE(from_range(testing::smoke_methods()));
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

TEST_CASE("a translation does not go on with sentences that have changed", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({translation_recipe("full"), "--out", "run", "train.max_steps=13"}).code == 0);
  for (const char* file : {"data/smoke/train.src", "data/smoke/train.tgt"})
    std::ofstream(folder / file, std::ios::app) << "a b\n";
  const Outcome changed = program.run({translation_recipe("full"), "--out", "run"});
  INFO(changed.err);
  CHECK(changed.code == 4);
  CHECK_THAT(changed.err, ContainsSubstring("data have changed"));
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
  refused({"data.test=null", "eval.splits=[valid, test]"}, "there is no data.test [E-splits]");
  refused({"data.test.src=smoke/train.src"}, "E-same-file");
  refused({"model.geometry=lorentz"}, "E-optimizer");
  refused({"model.geometry=lorentz", "optim.name=riemannian_adam", "model.norm=post"}, "E-model");
}

TEST_CASE("pair data that are wrong are an error where they stand, and absent ones a note", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  const auto data = folder.path() / "data/smoke";
  const auto check = [&](const std::string& what, const std::vector<std::string>& more = {}) {
    for (const std::string verb : {"validate", "train"}) {
      std::vector<std::string> words = {verb, translation_recipe("full")};
      words.insert(words.end(), more.begin(), more.end());
      const Outcome outcome = program.run(words);
      INFO(verb << ": " << what << "\n" << outcome.err);
      CHECK(outcome.code == 3);
      CHECK_THAT(outcome.err, ContainsSubstring(what) && ContainsSubstring("E-data"));
    }
    testing::write_smoke_pairs(folder.path());
  };
  const Outcome absent = program.run({"validate", "--strict", translation_recipe("full")});
  CHECK(absent.code == 0);
  CHECK_THAT(absent.err, ContainsSubstring("were not checked"));
  CHECK(program.run({translation_recipe("full")}).code == 3);

  testing::write_smoke_pairs(folder.path());
  std::ofstream(data / "valid.tgt", std::ios::app) << "one more\n";
  check("valid.src:20: the file ends with this line, but ");
  std::ofstream(data / "test.src") << "a b\n\xff\n";
  check("test.src:2: byte 1 of the line (0xff) is not UTF-8");
  std::ofstream(data / "train.src") << "";
  std::ofstream(data / "train.tgt") << "";
  check("train.src' holds no line");
  std::filesystem::remove(data / "test.tgt");
  check("test.tgt");
  check("there is no tokenizer '", {"tokenizer.model=nowhere"});
}

}  // namespace sst
