#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/temporary_folder.hpp"

// What a user meets: verbs, errors, exit codes, and that the documents say what the program does.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::source;
using testing::TemporaryFolder;

const std::string kSmoke = source("recipes/smoke/graph_nc_sst.yaml");

std::string write(const TemporaryFolder& folder, const std::string& name, const std::string& text) {
  std::ofstream(folder.path() / name) << text;
  return name;
}

size_t count(const std::string& text, const std::string& word) {
  size_t found = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("a recipe with five different mistakes reports five located errors", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  write(folder, "bad.yaml",
        "recipe_version: 1\n"
        "name: bad\n"
        "task: node_classification\n"
        "data: {format: sir_tree}\n"
        "model:\n"
        "  family: hybonet_gcn\n"
        "  hidden_size: sixteen\n"
        "  num_layer: 3\n"
        "method:\n"
        "  name: sst\n"
        "  rank: 2\n"
        "  sampling: multinomal\n"
        "optim:\n"
        "  name: riemannian_adam\n"
        "  learning_rate: 0.01\n"
        "  lr: 0.01\n"
        "train:\n"
        "  max_epochs: 10\n"
        "  margin: -2\n");
  const Outcome outcome = program.run({"bad.yaml"});
  INFO(outcome.err);
  CHECK(outcome.code == 2);
  for (const char* located :
       {"bad.yaml:7:16: error: 'model.hidden_size' is sixteen but must be a whole number [E-type]",
        "bad.yaml:8:3: error: unknown key 'model.num_layer' [E-unknown-key]",
        "bad.yaml:12:13: error: 'method.sampling' is 'multinomal' but must be one of",
        "bad.yaml:15:3: error: unknown key 'optim.learning_rate' [E-unknown-key]",
        "bad.yaml:19:11: error: 'train.margin' is -2 but must be", "5 errors, 0 warnings. Nothing was started."})
    CHECK_THAT(outcome.err, ContainsSubstring(located));
  CHECK_FALSE(std::filesystem::exists(folder.path() / "runs"));
}

TEST_CASE("every shipped recipe validates strictly, without data at hand", "[end_to_end]") {
  const TemporaryFolder folder;
  const Outcome outcome = Program(folder.path()).run({"validate", source("recipes"), "--strict"});
  INFO(outcome.out << outcome.err);
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.err, ContainsSubstring("so the data were not checked"));
}

TEST_CASE("what show prints reads back to itself", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  const std::string recipe =
      GENERATE("recipes/quickstart.yaml", "recipes/graphs/cora_lp.yaml", "recipes/smoke/graph_lp_relora.yaml");
  const std::string resolved = program.run({"show", source(recipe)}).out;
  write(folder, "resolved.yaml", resolved);
  CHECK(program.run({"show", "resolved.yaml"}).out == resolved);
  CHECK(program.run({"show", "resolved.yaml", "--diff", source(recipe)}).out.empty());
  CHECK_THAT(program.run({"show", source(recipe), "--origin"}).out, ContainsSubstring(".yaml:"));
  const auto json = nlohmann::json::parse(program.run({"show", source(recipe), "seed=7", "--json"}).out);
  CHECK(json.at("seed") == 7);
  CHECK(json.at("task").is_string());
  CHECK(json.at("name").is_string());
  CHECK(json.at("optim.lr").is_number_float());
  CHECK(json.at("checkpoint.async") == true);
}

TEST_CASE("generated pages are those the program would write", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  CHECK(program.run({"schema", "--markdown"}).out == Program::text_of(source("docs/recipes.md")));
  CHECK(program.run({"schema"}).out == Program::text_of(source("docs/schema/sst-train.schema.json")));
}

TEST_CASE("the help of every verb fits 100 columns and has an example", "[end_to_end]") {
  const std::string verb =
      GENERATE("train", "eval", "translate", "generate", "score", "prepare", "validate", "show", "estimate", "inspect",
               "export", "import", "average", "prune", "sweep", "report", "recipes", "schema", "doctor", "slurm");
  const TemporaryFolder folder;
  const Outcome outcome = Program(folder.path()).run({verb, "--help"});
  CAPTURE(verb);
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, ContainsSubstring("Examples:\n  sst-train " + verb) ||
                              ContainsSubstring("Examples:\n  sst-train recipes/"));
  std::stringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);
}

TEST_CASE("exit codes tell a script what to do", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  const auto code = [&](const std::vector<std::string>& arguments) {
    const Outcome outcome = program.run(arguments);
    UNSCOPED_INFO(outcome.err);
    return outcome.code;
  };
  CHECK(code({"trian", kSmoke}) == 2);
  CHECK(code({"train", "missing.yaml"}) == 2);
  CHECK(code({kSmoke, "--lr", "0.1"}) == 2);
  CHECK(code({source("recipes/graphs/cora_nc.yaml")}) == 3);  // no data here
  CHECK(code({kSmoke, "--resume", "must"}) == 4);
  CHECK(code({"eval", "nowhere"}) == 4);
  CHECK(code({kSmoke, "--out", "diverged", "optim.lr=1e30", "optim.grad_clip=0", "optim.name=riemannian_sgd"}) == 6);
  CHECK(code({kSmoke, "--out", "run"}) == 0);
  CHECK(code({kSmoke, "--out", "run"}) == 0);
  CHECK(code({kSmoke, "--out", "run", "--resume", "never", "train.max_epochs=41"}) == 2);
  CHECK(code({"eval", "run", "--require", "test/f1>=0"}) == 0);
  CHECK(code({"eval", "run", "--require", "test/f1>1"}) == 10);
  CHECK(code({"eval", "run", "--require", "nonsense"}) == 2);
  CHECK(code({kSmoke, "--out", "run", "model.hidden_size=8", "method.rank=1", "train.max_epochs=50"}) == 4);
}

TEST_CASE("a run that diverges names the first bad tensor and keeps what it had", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  const Outcome outcome =
      program.run({kSmoke, "--out", "run", "optim.lr=1e30", "optim.grad_clip=0", "optim.name=riemannian_sgd"});
  CHECK(outcome.code == 6);
  CHECK_THAT(outcome.err, ContainsSubstring("is not finite at step"));
  CHECK_THAT(Program::text_of(folder.path() / "run/run.json"), ContainsSubstring("\"exit_code\": 6"));
}

TEST_CASE("a finished run answers at once, with its results on stdout", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  const Outcome first = program.run({kSmoke, "--out", "run"}), second = program.run({kSmoke, "--out", "run"});
  CHECK(second.code == 0);
  CHECK(first.out == second.out);
  CHECK_THAT(second.err, ContainsSubstring("finished already"));
  for (const char* file : {"recipe.yaml", "recipe.input.yaml", "environment.json", "run.json", "metrics.jsonl",
                           "log.txt", "report.md", "report.html", "report.json", "DONE", "checkpoints/index.json"})
    CHECK(std::filesystem::exists(folder.path() / "run" / file));
}

TEST_CASE("evaluating the best checkpoint repeats the run's own result", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  const Outcome trained = program.run({kSmoke, "--out", "run"});
  const Outcome evaluated = program.run({"eval", "run", "--split", "test"});
  const auto line = [](const std::string& text) {
    const size_t at = text.find("test/f1\t");
    return text.substr(at, text.find('\n', at) - at);
  };
  CHECK(line(trained.out) == line(evaluated.out));
}

TEST_CASE("--overwrite moves the earlier run aside and never deletes it", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  REQUIRE(program.run({kSmoke, "--out", "run"}).code == 0);
  REQUIRE(program.run({kSmoke, "--out", "run", "--overwrite"}).code == 0);
  CHECK(std::filesystem::exists(folder.path() / "run.old-1/DONE"));
}

TEST_CASE("two processes do not share a run directory", "[end_to_end]") {
  const TemporaryFolder folder, elsewhere;
  const Program program(folder.path());
  const pid_t pid = program.start({kSmoke, "--out", "run", "train.max_epochs=1M"});
  for (int i = 0; i < 100 && !std::filesystem::exists(folder.path() / "run/metrics.jsonl"); ++i) ::usleep(100000);
  const Outcome second =
      Program(elsewhere.path()).run({kSmoke, "--out", (folder.path() / "run").string(), "train.max_epochs=1M"});
  ::kill(pid, SIGTERM);
  program.wait(pid);
  CHECK(second.code == 2);
  CHECK_THAT(second.err, ContainsSubstring(std::to_string(pid)));
}

TEST_CASE("a sweep lists, trains and tabulates its points, and knows them when they are done", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  write(folder, "sweep.yaml",
        "recipe_version: 1\ninherit: " + kSmoke +
            "\nname: small\ntrain: {max_epochs: 12}\nsweep:\n  tied:\n    - {method.name: full}\n"
            "    - {method.name: lora, method.rank: 2}\n    - {method.name: sst, method.rank: 1}\n  seeds: [1, 2]\n");
  CHECK(count(program.run({"sweep", "sweep.yaml", "--list"}).out, "\n") == 6);
  const Outcome swept = program.run({"sweep", "sweep.yaml", "--jobs", "2"});
  INFO(swept.err);
  REQUIRE(swept.code == 0);
  CHECK_THAT(swept.out, ContainsSubstring("lora") && ContainsSubstring("sst") && ContainsSubstring("±"));
  CHECK(count(program.run({"sweep", "sweep.yaml", "--list"}).out, "finished") == 6);
  CHECK(std::filesystem::exists(folder.path() / "runs/small/report.html"));
  CHECK(program.run({"report", "runs/small"}).code == 0);
}

TEST_CASE("recipes are shipped inside the program", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  CHECK(program.run({"recipes", "show", "quickstart"}).out == Program::text_of(source("recipes/quickstart.yaml")));
  CHECK(program.run({"recipes", "cp", "graphs/cora_nc", "mine.yaml"}).code == 0);
  CHECK(Program::text_of(folder.path() / "mine.yaml") == Program::text_of(source("recipes/graphs/cora_nc.yaml")));
  for (const auto& [paper, recipe] : {std::pair{"2405.15481", "graphs/cora_nc.yaml"},
                                      {"2310.04415", "weight_decay/gpt2_124m.yaml"},
                                      {"2506.17475", "lowrank/gpt_small.yaml"}})
    CHECK_THAT(program.run({"recipes", "ls", paper}).out, ContainsSubstring(recipe));
  const std::string all = program.run({"recipes", "ls"}).out;
  CHECK_THAT(all, ContainsSubstring("papers/sst_table_05.yaml"));
  CHECK(all.find("smoke/") == std::string::npos);
  CHECK_THAT(program.run({"recipes", "ls", "SMOKE"}).out, ContainsSubstring("smoke/lm_sst.yaml"));
  CHECK(program.run({"builtin:quickstart", "--dry-run"}).code == 0);
  const Outcome unknown = program.run({"recipes", "show", "quickstrat"});
  CHECK(unknown.code == 2);
  CHECK_THAT(unknown.err, ContainsSubstring("did you mean 'quickstart'?"));
}

TEST_CASE("doctor trains a little and finds nothing wrong", "[end_to_end]") {
  const TemporaryFolder folder;
  const Outcome outcome = Program(folder.path()).run({"doctor"});
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, ContainsSubstring("ok: loss"));
}

TEST_CASE("estimate plans a machine that is not at hand", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  const std::string recipe = source("recipes/lm/opt_125m.yaml");
  const Outcome table =
      program.run({"estimate", recipe, "--nproc", "4", "--device-memory", "80GiB", "--methods", "full,sst"});
  INFO(table.out << table.err);
  REQUIRE(table.code == 0);
  CHECK_THAT(table.out, ContainsSubstring("each of 4 processes, on a device of 80.0 GiB") &&
                            ContainsSubstring("\nfull ") && ContainsSubstring("\nsst "));
  CHECK(table.out.find("\nlora ") == std::string::npos);
  const Outcome json = program.run({"estimate", recipe, "--nproc", "4", "--device-memory", "16GiB", "--flops", "312T",
                                    "--link", "50GB/s", "--methods", "full", "--json"});
  INFO(json.out << json.err);
  REQUIRE(json.code == 0);
  const auto plan = nlohmann::json::parse(json.out).at(0);
  CHECK(plan.at("method") == "full");
  CHECK(plan.at("sent_bytes_per_step") == 2.0 * 3 / 4 * 4 * plan.at("parameters").at("trainable").get<double>());
  CHECK(plan.at("step_s").at(0) <= plan.at("step_s").at(1));
  const Outcome unit = program.run({"estimate", recipe, "--nproc", "4", "--device-memory", "80Gib"});
  CHECK(unit.code == 2);
  CHECK_THAT(unit.err, ContainsSubstring("--device-memory is '80Gib', which is no amount"));
}

TEST_CASE("estimate and inspect say what a recipe and a checkpoint hold", "[end_to_end]") {
  const TemporaryFolder folder;
  const Program program(folder.path());
  CHECK_THAT(program.run({"estimate", kSmoke, "--measure"}).out,
             ContainsSubstring("trainable") && ContainsSubstring("measured"));
  REQUIRE(program.run({kSmoke, "--out", "run"}).code == 0);
  CHECK_THAT(program.run({"inspect", "run", "--spectra"}).out,
             ContainsSubstring("model/encoder.layers.0.linear.weight.sigma") && ContainsSubstring("effective rank"));
}

}  // namespace sst
