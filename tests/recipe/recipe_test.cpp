#include "recipe/recipe.hpp"

#include <regex>

#include "tests/recipe/test_schema.hpp"
#include "tests/support/catch.hpp"

namespace sst::recipe_test {
namespace {

const std::string kBody =
    "description: \"it's: ${task} # $${x}\"\n"
    "data: {dir: \"${env:HOME_OF_DATA}/cora\", src_lang: no}\n"
    "model: &m {hidden_size: 1_0K, dropout: .5}\n"
    "method: {name: sst, rank: 2, iteration_interval: 2epoch, targets: [\"*.q\", \"*\"]}\n"
    "optim: {lr: 1E-4, weight_decay_on: all}\n"
    "train: {max_time: 90min, max_steps: ~}\n"
    "precision: bf16_mixed\n"
    "runtime: {cache: 1024MiB, device: \"cuda:1\"}\n"
    "sweep:\n  axes: {method.rank: [1, 2]}\n  tied:\n    - {method.name: full, model.dropout: 0.9}\n    - "
    "{method.name: sst}\n"
    "  seeds: [1, 2]\n"
    "report:\n  rows: method.name\n  paper: {table: \"SST, Table 5\", values: [{method.name: sst, value: 22.28, sd: "
    "0.1}]}\n";

Recipe reload(const std::string& text) {
  Diagnostics diagnostics;
  Recipe recipe = load_text(text, "shown.yaml", {}, schema(), diagnostics);
  diagnostics.throw_if_errors();
  return recipe;
}

}  // namespace

TEST_CASE("the resolved recipe reads back to itself and to the same hash", "[recipe]") {
  const Recipe recipe = good(kBody);
  const Recipe again = reload(recipe.to_yaml());
  CHECK(again.to_yaml() == recipe.to_yaml());
  CHECK(again.hash() == recipe.hash());
  CHECK(again.differences(recipe).empty());
  CHECK(reload(recipe.to_yaml_with_origins()).to_yaml() == recipe.to_yaml());
}

TEST_CASE("the resolved recipe is grouped by section, in canonical spelling, with every default", "[recipe]") {
  CHECK(good(kBody).to_yaml() == R"(recipe_version: 1
name: a
description: "it's: node_classification # $${x}"
task: node_classification
seed: 1
data_root: data
out_root: runs

data:
  format: hgcn
  dir: /corpora/cora
  src_lang: no
  use_feats: true

model:
  family: hybonet_gcn
  hidden_size: 10000
  num_layers: 2
  dropout: 0.5

method:
  name: sst
  rank: 2
  targets: ["*.q", "*"]
  init: svd
  iteration_interval: 2epoch
  iterations_per_round: auto
  sampling: multinomial

optim:
  name: adam
  lr: 0.0001
  grad_clip: 1
  betas: [0.9, 0.999]
  weight_decay_on: [all]

schedule:
  name: constant
  warmup_steps: 0

train:
  max_time: 1h30min

precision:
  compute: bf16
  params: fp32

eval:
  every: 1000
  metrics: [loss]
  decode:
    beam_size: 5

runtime:
  device: "cuda:1"
  cache: 1GiB

sweep:
  axes:
    method.rank: [1, 2]
  tied:
    - {method.name: full, model.dropout: 0.9}
    - {method.name: sst}
  seeds: [1, 2]

report:
  rows: [method.name]
  formats: [md, html, json]
  paper:
    table: "SST, Table 5"
    values:
      - {method.name: sst, value: 22.28, sd: 0.1}
)");
}

TEST_CASE("the origin of each value stands beside it", "[recipe]") {
  const std::string text = good("method: {name: lora,\n  rank: 3}\n", {"seed=7"}).to_yaml_with_origins();
  CHECK_THAT(text, ContainsSubstring("\nseed: 7                                 # command line: seed=7\n"));
  CHECK_THAT(text, ContainsSubstring("\n  rank: 3                               # r.yaml:5\n"));
  CHECK_THAT(text, ContainsSubstring("\n  init: kaiming                         # default\n"));
}

TEST_CASE("the hash leaves out what does not decide the result", "[recipe]") {
  const std::string body = "method: {name: lora, rank: 3}\n";
  const std::string hash = good(body).hash();
  CHECK(std::regex_match(hash, std::regex("[0-9a-f]{64}")));
  CHECK(good(body).hash8() == hash.substr(0, 8));
  for (const std::string same : {"name=b", "description=x", "seed=2", "data_root=/d", "out_root=/o",
                                 "runtime.device=cpu", "train.max_steps=3", "train.max_epochs=3", "train.max_time=3h",
                                 "sweep.seeds=[1]", "report.metric=test/f1", "optim.lr=0.001", "optim.lr=1e-3"}) {
    CAPTURE(same);
    CHECK(good(body, {same}).hash() == hash);
  }
  for (const std::string other : {"method.rank=4", "optim.lr=0.002", "task=link_prediction", "runtime.cache=1GiB",
                                  "eval.every=3", "data.dir=x", "method.alpha=3"}) {
    CAPTURE(other);
    CHECK(good(body, {other}).hash() != hash);
  }
}

TEST_CASE("a recipe that nobody changed keeps its hash over versions of the program", "[recipe]") {
  CHECK(good("").canonical() ==
        "data.format: hgcn\ndata.use_feats: true\neval.decode.beam_size: 5\neval.every: 1000\neval.metrics: [loss]\n"
        "method.name: full\nmodel.dropout: 0\nmodel.family: hybonet_gcn\nmodel.hidden_size: 16\nmodel.num_layers: 2\n"
        "optim.betas: [0.9, 0.999]\noptim.grad_clip: 1\noptim.lr: 0.001\noptim.name: adam\n"
        "optim.weight_decay_on: [matrices]\nprecision.compute: fp32\nprecision.params: fp32\nrecipe_version: 1\n"
        "runtime.cache: 8GiB\nschedule.name: constant\nschedule.warmup_steps: 0\ntask: node_classification\n");
  // sha256sum of these lines.
  CHECK(good("").hash() == "c82b514b9727ea40362bdeca3ec24228ea045022b121e25e7dce41892d295f50");
  CHECK(good("").hash8() == "c82b514b");
}

TEST_CASE("keys are sorted into those in the hash and those that may change on resume", "[recipe]") {
  for (const std::string out :
       {"name", "description", "seed", "data_root", "out_root", "logging.every", "checkpoint.every",
        "distributed.backend", "runtime.threads", "runtime.device", "train.micro_batch", "report.rows", "sweep.axes",
        "train.max_steps", "train.max_time", "train.max_train_tokens", "report.paper.table"}) {
    CAPTURE(out);
    CHECK_FALSE(in_hash(out));
  }
  for (const std::string in : {"checkpoint.best_metric", "checkpoint.best_mode", "task", "train.max_tokens",
                               "eval.every", "runtime.deterministic", "data.dir", "loggings.every"}) {
    CAPTURE(in);
    CHECK(in_hash(in));
  }
  for (const std::string free : {"name", "logging.every", "checkpoint.keep_last", "eval.every", "eval.samples",
                                 "eval.patience", "train.micro_batch", "train.max_steps", "runtime.device"})
    CHECK(may_differ_on_resume(free));
  for (const std::string fixed :
       {"seed", "checkpoint.best_metric", "optim.lr", "eval.metrics", "task", "runtime.deterministic"})
    CHECK_FALSE(may_differ_on_resume(fixed));
  CHECK(is_stop_condition("train.max_epochs"));
  CHECK_FALSE(is_stop_condition("train.max_tokens"));
}

TEST_CASE("two recipes differ in the keys they differ in", "[recipe]") {
  const auto differences =
      good("method: {name: lora, rank: 3}\n").differences(good("method: {name: sst, rank: 3}\noptim: {lr: 0.001}\n"));
  std::vector<std::string> lines;
  for (const auto& one : differences) lines.push_back(one.key + " " + one.ours + " " + one.theirs);
  CHECK(lines == std::vector<std::string>{"method.name lora sst", "method.init kaiming svd",
                                          "method.iteration_interval  200", "method.iterations_per_round  auto",
                                          "method.sampling  multinomial"});
}

TEST_CASE("the input copy holds every file under a marker and the overrides as comments", "[recipe]") {
  const Folder folder;
  const auto base = folder.write("base.yaml", kHead + "# why\n");
  const auto path = folder.write("r.yaml", "recipe_version: 1\ninherit: base.yaml # yes");
  Diagnostics diagnostics;
  const std::string text = load(path, {{"seed=3", "description=\"a\nb\""}}, schema(), diagnostics).input_text();
  CHECK(text == "# ---- " + base + " ----\n" + kHead + "# why\n# ---- " + path +
                    " ----\nrecipe_version: 1\ninherit: base.yaml # yes\n"
                    "# ---- command line ----\n# seed=3\n# description=\"a\n# b\"\n");
}

TEST_CASE("a recipe answers what is given, what is sound and where it stands", "[recipe]") {
  Diagnostics diagnostics;
  const Recipe recipe = load_body("optim:\n  lr: x\nmodel: {hidden_size: 3}\n", diagnostics);
  CHECK(recipe.given("optim.lr"));
  CHECK(recipe.given("model"));
  CHECK_FALSE(recipe.given("method"));
  CHECK_FALSE(recipe.sound("optim.lr"));
  CHECK_FALSE(recipe.sound("optim"));
  CHECK(recipe.sound("model"));
  CHECK(recipe.value<double>("optim.lr") == 1e-3);
  CHECK(recipe.has("model.num_layers"));
  CHECK_FALSE(recipe.has("train.max_steps"));
  CHECK(recipe.place("optim.lr").text() == "r.yaml:5:7");
  CHECK(recipe.place("optim.grad_clip").text() == "r.yaml:4:1");  // a default: its section
  CHECK(recipe.place("eval.every").text() == "r.yaml");
  CHECK_THROWS_AS(recipe.value<int64_t>("method.rank"), std::logic_error);
  CHECK_THROWS_AS(recipe.value<int64_t>("optim.lr"), std::logic_error);
}

TEST_CASE("what could not be read still gives every key a value", "[recipe]") {
  Diagnostics diagnostics;
  const Recipe recipe = load_text("a: [", "r.yaml", {}, schema(), diagnostics);
  CHECK(diagnostics.errors() == 1);
  CHECK(recipe.value<std::string>("task").empty());
  CHECK(recipe.read<ModelOptions>("model").hidden_size == 16);
}

}  // namespace sst::recipe_test
