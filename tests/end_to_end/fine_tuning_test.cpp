#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/smoke_pairs.hpp"
#include "tests/support/smoke_recipes.hpp"
#include "tests/support/smoke_texts.hpp"
#include "tests/support/temporary_folder.hpp"

// `init.from`: any method goes on with the matrices that any other one trained, or that were imported.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::smoke_recipe;
using testing::TemporaryFolder;

double loss_of(const Program& program, const std::string& run) {
  const Outcome outcome = program.run({"eval", run, "--split", "valid", "--json"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  return nlohmann::json::parse(outcome.out).at("results").at("valid/loss");
}

/// The loss before the first step of every method that starts from `from`.
void check_start(const Program& program, const std::filesystem::path& folder, const std::string& family,
                 const std::string& from, double expected, const std::vector<std::string>& more = {}) {
  for (const std::string& method : testing::smoke_methods()) {
    CAPTURE(family, from, method);
    std::vector<std::string> words = {
        smoke_recipe(family, method), "--out",         "tuned_" + method, "init.from=" + from,
        "eval.at_start=true",         "eval.every=off"};
    words.insert(words.end(), more.begin(), more.end());
    if (family == "graph_nc")
      words.emplace_back("train.max_epochs=1");
    else
      words.insert(words.end(), {"train.max_steps=1", "schedule.name=constant", "schedule.warmup_steps=0"});
    if (method == "lowrank")
      words.emplace_back("method.init=adapter");  // the others keep the whole matrix by themselves
    const Outcome tuned = program.run(words);
    INFO(tuned.err);
    REQUIRE(tuned.code == 0);
    const std::string metrics = Program::text_of(folder / ("tuned_" + method) / "metrics.jsonl");
    const auto start = nlohmann::json::parse(metrics.substr(0, metrics.find('\n')));
    CHECK(start.at("valid/loss").get<double>() == Approx(expected).epsilon(1e-4));
    std::filesystem::remove_all(folder / ("tuned_" + method));
  }
}

}  // namespace

TEST_CASE("fine-tuning starts from the matrices of another run, whatever method trained it", "[end_to_end][slow]") {
  const std::string family = GENERATE("graph_nc", "lm", "mt_lorentz"), method = GENERATE("full", "sst", "dora");
  CAPTURE(family, method);
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  testing::write_smoke_pairs(folder.path());
  const Program program(folder.path());
  REQUIRE(program.run({smoke_recipe(family, method), "--out", "base"}).code == 0);
  check_start(program, folder.path(), family, "base", loss_of(program, "base"));
}

TEST_CASE("fine-tuning starts from a model that was exported for Hugging Face and imported again", "[end_to_end]") {
  const TemporaryFolder folder;
  testing::write_smoke_texts(folder.path());
  const Program program(folder.path());
  const std::string tokenizer = "tokenizer={type: sentencepiece, vocab_size: 28}";
  REQUIRE(program.run({smoke_recipe("lm", "full"), tokenizer, "--out", "base"}).code == 0);
  REQUIRE(program.run({"export", "base", "--out", "hf"}).code == 0);
  const Outcome imported = program.run({"import", "hf", "--out", "imported/model"});
  INFO(imported.err);
  REQUIRE(imported.code == 0);
  std::filesystem::remove_all(folder / "hf");  // its tokenizer is in the checkpoint
  check_start(program, folder.path(), "lm", "imported/model", loss_of(program, "base"), {tokenizer});
}

}  // namespace sst
