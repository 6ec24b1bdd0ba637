#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/smoke_pairs.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

// Singular-value pruning of a trained model, from the curve to the smaller checkpoint and its use.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;
using Json = nlohmann::json;

constexpr double kPruneRounding = 1e-5;

Json printed(const Program& program, const std::vector<std::string>& words) {
  const Outcome outcome = program.run(words);
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  return Json::parse(outcome.out);
}

}  // namespace

TEST_CASE("every kind of trained model is pruned, and its pruned checkpoint scores as its point of the curve",
          "[end_to_end][slow]") {
  const auto [recipe, metric] = GENERATE(table<std::string, std::string>({{"lm_full", "valid/loss"},
                                                                          {"lm_sst", "valid/loss"},
                                                                          {"lm_lora", "valid/loss"},
                                                                          {"lm_lowrank", "valid/loss"},
                                                                          {"mt_sst", "valid/bleu"},
                                                                          {"mt_lorentz_sst", "valid/loss"},
                                                                          {"graph_nc_sst", "valid/f1"},
                                                                          {"graph_lp_full", "valid/roc_auc"}}));
  CAPTURE(recipe);
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  const Outcome trained = program.run({source("recipes/smoke/" + recipe + ".yaml"), "--out", "run"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);

  const Json whole = printed(program, {"eval", "run", "--split", "valid", "--json"});
  for (const bool factored : {false, true}) {
    CAPTURE(factored);
    const std::string out = factored ? "factored" : "dense";
    std::vector<std::string> words = {"prune", "run", "--keep", "0.3", "--out", out, "--curve", "1,0.6", "--json"};
    if (factored) words.emplace_back("--factored");
    const Json pruned = printed(program, words);
    const Json& curve = pruned["curve"];
    REQUIRE(curve.size() == 3);
    CHECK(curve[0]["results"][metric].get<double>() ==
          Approx(whole["results"][metric].get<double>()).margin(kPruneRounding));
    CHECK(curve[1]["removed"].get<double>() > 0);
    CHECK(curve[2]["removed"].get<double>() > curve[1]["removed"].get<double>());
    const Json again = printed(program, {"eval", out, "--split", "valid", "--json"});
    CHECK(again["results"][metric].get<double>() ==
          Approx(curve[2]["results"][metric].get<double>()).margin(kPruneRounding));
  }
  const auto bytes = [&](const std::string& name) {
    return std::filesystem::file_size(folder.path() / name / "model.safetensors");
  };
  CHECK(bytes("factored") < bytes("dense"));
  CHECK_THAT(Program::text_of(folder.path() / "run/report.html"), ContainsSubstring("<h2>Pruning</h2>"));
}

TEST_CASE("a model in smaller factors generates, exports and goes on being trained", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({source("recipes/smoke/lm_sst.yaml"), "--out", "run"}).code == 0);
  const auto prune = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"prune", "run", "--no-curve", "--keep", "0.3"};
    words.insert(words.end(), more.begin(), more.end());
    return program.run(words);
  };
  REQUIRE(prune({"--out", "dense"}).code == 0);
  const Outcome factored = prune({"--out", "factored", "--factored"});
  INFO(factored.err);
  REQUIRE(factored.code == 0);
  CHECK_THAT(factored.out, ContainsSubstring("% of their size"));
  const auto text = [&](const std::string& model) {
    const Outcome outcome = program.run({"generate", model, "--prompt", "ba lo", "--max-new-tokens", "12"});
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    return outcome.out;
  };
  CHECK(text("factored") == text("dense"));
  CHECK(program.run({"export", "factored", "--out", "hf"}).code == 0);
  const Outcome tuned =
      program.run({"factored/recipe.yaml", "--out", "tuned", "init.from=factored", "train.max_steps=8"});
  INFO(tuned.err);
  CHECK(tuned.code == 0);

  CHECK_THAT(prune({"--out", "dense"}).err, ContainsSubstring("is there already"));
  CHECK_THAT(prune({"--factored"}).err, ContainsSubstring("--out does not say where"));
  CHECK_THAT(prune({"--out", "x", "--targets", "no.such"}).err, ContainsSubstring("'no.such' names no linear map"));
  CHECK_THAT(program.run({"prune", "run", "--keep", "1.5", "--out", "x"}).err, ContainsSubstring("--keep is 1.5"));
  CHECK_THAT(program.run({"prune", "run", "--no-curve", "--keep", "1", "--factored", "--out", "x"}).err,
             ContainsSubstring("no two factors are smaller"));
  CHECK_FALSE(std::filesystem::exists(folder.path() / "x"));
}

}  // namespace sst
