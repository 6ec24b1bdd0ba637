#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/site.hpp"
#include "tests/support/smoke_recipes.hpp"

// Several processes train one model as one process would.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::Site;
using testing::wait_for;

/// Processes that run this program's recipe of the site, found by what their parent started.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  std::ifstream list("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
  for (pid_t pid = 0; list >> pid;) children.push_back(pid);
  return children;
}

using ByRank = std::function<Program::Environment(const std::string& rank)>;

/// What torchrun and mpirun set for one of two processes.
Program::Environment torchrun_sets(const std::string& rank) {
  return {{"RANK", rank},
          {"WORLD_SIZE", "2"},
          {"LOCAL_RANK", rank},
          {"LOCAL_WORLD_SIZE", "2"},
          {"MASTER_ADDR", "127.0.0.1"},
          {"MASTER_PORT", std::to_string(20000 + ::getpid() % 20000)}};
}

Program::Environment mpirun_sets(const std::string& rank, const std::string& job = "job@1") {
  return {{"OMPI_COMM_WORLD_RANK", rank},
          {"OMPI_COMM_WORLD_SIZE", "2"},
          {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
          {"PMIX_NAMESPACE", job}};
}

/// Of leaders, in the directory of a run.
int rendezvous_files(const std::filesystem::path& run) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(run))
    count += entry.path().filename().string().rfind(".rendezvous", 0) == 0;
  return count;
}

}  // namespace

TEST_CASE("two and four processes compute what one does", "[end_to_end][slow]") {
  const std::string model = GENERATE("lm", "mt", "mt_lorentz"), processes = GENERATE("2", "4");
  CAPTURE(model, processes);
  const Site site;
  const std::vector<std::string> few = {"train.max_steps=12", "eval.every=4", "logging.every=1"};
  auto shared = few;
  shared.insert(shared.end(), {"--nproc", processes});
  REQUIRE(site.train(model + "_full", "one", few).code == 0);
  const Outcome together = site.train(model + "_full", "together", shared);
  INFO(together.err);
  REQUIRE(together.code == 0);
  const auto one = site.losses("one"), many = site.losses("together");
  REQUIRE(one.size() == many.size());
  REQUIRE(one.size() >= 15);
  for (size_t i = 0; i < one.size(); ++i) {
    CAPTURE(i);
    CHECK(many[i] == Approx(one[i]).epsilon(1e-4));
  }
  CHECK(std::filesystem::exists(site.folder.path() / "together/log.rank1.txt"));
}

TEST_CASE("losses and gradients of two processes are those of one to rounding, for every method",
          "[end_to_end][slow]") {
  constexpr double kRounding = 1e-9;
  // With a rate that leaves every singular value above zero: of those at zero rounding picks the vectors.
  const std::string model = GENERATE("lm", "mt"), method = GENERATE(from_range(testing::smoke_methods()));
  CAPTURE(model, method);
  const Site site;
  const auto measured = [&](const std::string& processes) {
    std::vector<std::string> more = {
        "--nproc",         processes,       "precision=fp64", "optim.lr=1e-4", "train.max_steps=12",
        "logging.every=1", "eval.every=off"};
    if (method == "galore") more.emplace_back("method.layerwise=false");
    const Outcome outcome = site.train(model + "_" + method, "run" + processes, more);
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    return site.losses("run" + processes, {"train/loss", "optim/grad_norm"});
  };
  const auto one = measured("1"), two = measured("2");
  REQUIRE(one.size() == 24);
  REQUIRE(two.size() == 24);
  for (size_t i = 0; i < one.size(); ++i) {
    CAPTURE(i);
    CHECK(two[i] == Approx(one[i]).epsilon(kRounding));
  }
}

TEST_CASE("every method trains with two processes, the same bits each time, cut anywhere", "[end_to_end][slow]") {
  const std::string model = GENERATE("lm", "mt_lorentz"), method = GENERATE(from_range(testing::smoke_methods()));
  CAPTURE(model, method);
  const Site site;
  const auto with = [&](const std::string& steps) {
    std::vector<std::string> more = {"--nproc",
                                     "2",
                                     "train.max_steps=" + steps,
                                     "schedule.name=constant",
                                     "schedule.warmup_steps=2",
                                     "distributed.check_sync_every=1"};
    if (method == "galore") more.emplace_back("method.layerwise=false");
    return more;
  };
  const Outcome whole = site.train(model + "_" + method, "whole", with("20"));
  INFO(whole.err);
  REQUIRE(whole.code == 0);
  for (const char* steps : {"3", "7", "20"}) REQUIRE(site.train(model + "_" + method, "cut", with(steps)).code == 0);
  CHECK(site.are_equal("whole", "cut"));
}

TEST_CASE("GaLore that updates within backward is refused to two processes", "[end_to_end]") {
  const Site site;
  const Outcome within = site.train("lm_galore", "run", {"--nproc", "2"});
  CHECK(within.code == 2);
  CHECK_THAT(within.err, ContainsSubstring("method.layerwise: false"));
}

TEST_CASE("weights that drift apart end the run with 7 and the first tensor that differs", "[end_to_end]") {
  const std::string every = GENERATE("2", "1s");
  CAPTURE(every);
  const Site site;
  const Outcome drifted = site.train("lm_full", "run",
                                     {"--nproc", "2", "train.max_steps=1M", "train.max_time=1min", "eval.every=off",
                                      "distributed.check_sync_every=" + every},
                                     {{"SST_FAULT", "train.weights.rank1:3:drift"}});
  INFO(drifted.err);
  CHECK(drifted.code == 7);
  CHECK_THAT(drifted.err, ContainsSubstring("the processes disagree about 'model.decoder.embed_tokens.weight'"));
  if (every == "2") CHECK_THAT(drifted.err, ContainsSubstring("after step 4 "));
}

TEST_CASE("processes prepare a text together, and one that is lost ends the others", "[end_to_end]") {
  const Site site;
  for (int i = 0; i < 5; ++i) {
    std::ofstream file(site.folder / ("data/smoke/part" + std::to_string(i) + ".txt"));
    for (int word = 0; word < 300 * (i + 1); ++word)
      file << (word * word % 7 < 3 ? "ba " : "lo ") << (word % 9 ? "" : "\n");
  }
  const auto prepare = [&](const std::string& folder, std::vector<std::string> more,
                           const Program::Environment& environment = {}) {
    more.insert(more.begin(), {"prepare", testing::source("recipes/smoke/lm_full.yaml"),
                               "data.train=[smoke/train.txt, smoke/part*.txt]", "data.prepared_dir=" + folder});
    return site.program.run(more, environment);
  };
  REQUIRE(prepare("alone", {}).code == 0);
  const Outcome together = prepare("together", {"--nproc", "3"});
  INFO(together.err);
  REQUIRE(together.code == 0);
  CHECK_THAT(together.out, ContainsSubstring("train: ") && ContainsSubstring("from 6 documents"));
  for (const char* name : {"manifest.json", "train_000000.bin", "valid_000000.bin"})
    CHECK(Program::text_of(site.folder / "data/together" / name) ==
          Program::text_of(site.folder / "data/alone" / name));
  CHECK(prepare("together", {"--nproc", "2"}).out.find("nothing to do") != std::string::npos);

  const std::string rank = GENERATE("0", "1");
  const auto started = std::chrono::steady_clock::now();
  const Outcome lost = prepare("lost", {"--nproc", "3"}, {{"SST_FAULT", "prepare.part.rank" + rank + ":1:kill"}});
  CHECK(lost.code != 0);
  CHECK_THAT(lost.err, ContainsSubstring("another process was lost"));
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(25));
  CHECK_FALSE(std::filesystem::exists(site.folder / "data/lost"));
  CHECK(prepare("lost", {"--nproc", "2"}).code == 0);
}

TEST_CASE("a run goes on with another number of processes", "[end_to_end]") {
  const Site site;
  const std::string first = GENERATE("1", "2", "4");
  const auto with = [](const std::string& steps, const std::string& processes) {
    return std::vector<std::string>{"train.max_steps=" + steps, "schedule.name=constant", "schedule.warmup_steps=2",
                                    "--nproc", processes};
  };
  REQUIRE(site.train("lm_full", "one", with("20", "1")).code == 0);
  REQUIRE(site.train("lm_full", "run", with("10", first)).code == 0);
  REQUIRE(site.train("lm_full", "run", with("20", "2")).code == 0);
  CHECK(site.losses("run").back() == Approx(site.losses("one").back()).epsilon(1e-3));
}

TEST_CASE("processes that share the optimizer's moments train the same model", "[end_to_end][slow]") {
  const std::string model = GENERATE("lm", "mt_lorentz"), method = GENERATE(from_range(testing::smoke_methods()));
  CAPTURE(model, method);
  const Site site;
  const auto with = [&](const std::string& steps, const std::string& processes, const std::string& shards) {
    std::vector<std::string> more = {"--nproc",
                                     processes,
                                     "train.max_steps=" + steps,
                                     "schedule.name=constant",
                                     "schedule.warmup_steps=2",
                                     "logging.every=1",
                                     "logging.per_layer=5",
                                     "optim.grad_clip=0.5",
                                     "distributed.shard_optimizer=" + shards,
                                     "distributed.check_sync_every=1"};
    if (method == "galore") more.emplace_back("method.layerwise=false");
    return more;
  };
  const std::string recipe = model + "_" + method;
  REQUIRE(site.train(recipe, "whole", with("20", "2", "false")).code == 0);
  const Outcome outcome = site.train(recipe, "shards", with("20", "2", "true"));
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const auto expected = site.losses("whole"), seen = site.losses("shards");
  REQUIRE(expected.size() == seen.size());
  for (size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == Approx(expected[i]).epsilon(1e-4));
  // Cut and resumed: the same bits; and its checkpoints are for any number of processes.
  for (const char* steps : {"3", "11", "20"}) REQUIRE(site.train(recipe, "cut", with(steps, "2", "true")).code == 0);
  CHECK(site.are_equal("shards", "cut"));
  // What four have saved one goes on with; a step later, since decompositions make more of rounding.
  REQUIRE(site.train(recipe, "four", with("9", "4", "true")).code == 0);
  REQUIRE(site.train(recipe, "other", with("8", "4", "true")).code == 0);
  REQUIRE(site.train(recipe, "other", with("9", "1", "true")).code == 0);
  CHECK(site.losses("other", {"train/loss"}).back() ==
        Approx(site.losses("four", {"train/loss"}).back()).epsilon(1e-4));
}

TEST_CASE("processes that translate together stop between two rounds, and go on from there", "[end_to_end][slow]") {
  const Site site;
  const std::vector<std::string> two = {"--nproc", "2", "train.max_steps=20"};
  REQUIRE(site.train("mt_full", "whole", two).code == 0);
  int stops = 0;
  for (const char* batch : {"2", "3", "4"}) {
    const Outcome stopped =
        site.train("mt_full", "cut", two, {{"SST_FAULT", "evaluation.batch:" + std::string(batch) + ":stop"}});
    INFO(stopped.err);
    CHECK((stopped.code == 75 || stopped.code == 0));
    stops += stopped.code == 75;
  }
  CHECK(stops > 0);
  REQUIRE(site.train("mt_full", "cut", two).code == 0);
  CHECK(site.are_equal("whole", "cut"));
}

TEST_CASE("a signal stops all processes at one step, and they go on from there", "[end_to_end][slow]") {
  const Site site;
  const std::vector<std::string> more = {"--nproc", "2", "train.max_steps=600", "eval.every=off",
                                         "checkpoint.every=off"};
  REQUIRE(site.train("lm_full", "whole", more).code == 0);
  int stops = 0;
  for (int attempt = 0; attempt < 10; ++attempt) {
    const pid_t pid = site.program.start(Site::command("lm_full", "cut", more));
    wait_for(site.folder.path() / "cut/metrics.jsonl");
    std::this_thread::sleep_for(std::chrono::milliseconds(600 + 100 * attempt));
    ::kill(pid, attempt % 2 == 0 ? SIGTERM : SIGUSR1);
    const Outcome outcome = site.program.wait(pid);
    INFO(outcome.err);
    // A signal that comes before training has begun ends a process as it ends any other.
    REQUIRE(
        (outcome.code == 75 || outcome.code == 0 || outcome.code == 128 + SIGTERM || outcome.code == 128 + SIGUSR1));
    stops += outcome.code == 75;
    if (outcome.code == 0) break;
  }
  CHECK(stops > 0);
  REQUIRE(site.train("lm_full", "cut", more).code == 0);
  CHECK(site.are_equal("whole", "cut"));
}

TEST_CASE("when one process is lost the others end at once with 7", "[end_to_end]") {
  const Site site;
  const pid_t pid =
      site.program.start(Site::command("lm_full", "run", {"--nproc", "2", "train.max_steps=1M", "eval.every=off"}));
  wait_for(site.folder.path() / "run/metrics.jsonl");
  const auto children = children_of(pid);
  REQUIRE(children.size() == 2);
  const auto start = std::chrono::steady_clock::now();
  ::kill(std::max(children[0], children[1]), SIGKILL);
  const Outcome outcome = site.program.wait(pid);
  CHECK(outcome.code == 7);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
  CHECK_THAT(outcome.err, ContainsSubstring("was killed by KILL"));
  CHECK_THAT(outcome.err, ContainsSubstring("another process was lost"));
}

TEST_CASE("processes that a launcher started find each other by its variables", "[end_to_end]") {
  const Site site;
  const auto slurm = [](const std::string& rank) {
    return Program::Environment{{"SLURM_PROCID", rank},
                                {"SLURM_NTASKS", "2"},
                                {"SLURM_LOCALID", rank},
                                {"SLURM_NTASKS_PER_NODE", "2"},
                                {"SLURM_JOB_ID", std::to_string(::getpid())},
                                {"SLURM_STEP_ID", "0"},
                                {"SLURM_JOB_NODELIST", "localhost"}};
  };
  int number = 0;
  const auto mpirun = [](const std::string& rank) { return mpirun_sets(rank); };
  for (const ByRank& environment : {ByRank(torchrun_sets), ByRank(mpirun), ByRank(slurm)}) {
    const std::string out = "run" + std::to_string(number++);
    const pid_t second = site.program.start(Site::command("lm_full", out, {}), environment("1"));
    const Outcome first = site.train("lm_full", out, {}, environment("0"));
    INFO(first.err);
    CHECK(first.code == 0);
    CHECK(site.program.wait(second).code == 0);
    CHECK(rendezvous_files(site.folder.path() / out) == 0);
  }
  CHECK(site.losses("run0") == site.losses("run1"));
  CHECK(site.losses("run0") == site.losses("run2"));
}

TEST_CASE("when the leader is lost the others end with 7", "[end_to_end]") {
  const Site site;
  const ByRank environment =
      GENERATE(0, 1) == 0 ? ByRank(torchrun_sets) : [](const std::string& rank) { return mpirun_sets(rank); };
  const pid_t second = site.program.start(Site::command("lm_full", "run", {}), environment("1"));
  auto with_fault = environment("0");
  with_fault.emplace_back("SST_FAULT", "train.step.rank0:7");
  CHECK(site.train("lm_full", "run", {}, with_fault).code == 128 + SIGKILL);
  const Outcome survivor = site.program.wait(second);
  CHECK(survivor.code == 7);
  CHECK_THAT(survivor.err, ContainsSubstring("another process was lost"));
  CHECK(rendezvous_files(site.folder.path() / "run") == 0);
}

TEST_CASE("the address of a leader that was killed while it waited goes with the next run", "[end_to_end]") {
  const Site site;
  const auto run = site.folder.path() / "run";
  const pid_t lone = site.program.start(Site::command("lm_full", "run", {}), mpirun_sets("0", "first"));
  wait_for(run / ".rendezvous-first");
  ::kill(lone, SIGKILL);
  site.program.wait(lone);
  REQUIRE(rendezvous_files(run) == 1);
  const std::string job = GENERATE("first", "second");
  const pid_t second = site.program.start(Site::command("lm_full", "run", {}), mpirun_sets("1", job));
  const Outcome first = site.train("lm_full", "run", {}, mpirun_sets("0", job));
  INFO(first.err);
  CHECK(first.code == 0);
  CHECK(site.program.wait(second).code == 0);
  CHECK(rendezvous_files(run) == 0);
}

TEST_CASE("what several processes cannot do is refused", "[end_to_end]") {
  const Site site;
  const Outcome graph = site.train("graph_nc_full", "graph", {"--nproc", "2"});
  CHECK(graph.code == 2);
  CHECK_THAT(graph.err, ContainsSubstring("graph_nc_full.yaml:"));
  CHECK_THAT(graph.err, ContainsSubstring("is trained by one process, but 2 were started"));
  const Outcome odd = site.train("lm_full", "odd", {"--nproc", "3"});
  CHECK(odd.code == 2);
  CHECK_THAT(odd.err, ContainsSubstring("a step has 4 sequences, which 3 processes cannot share evenly"));
  const Outcome half = site.train("lm_full", "half", {}, {{"WORLD_SIZE", "2"}});
  CHECK(half.code == 7);
  CHECK_THAT(half.err, ContainsSubstring("WORLD_SIZE is set, but RANK is not"));
  CHECK_THAT(site.train("lm_full", "none", {"--nproc", "0"}).err, ContainsSubstring("--nproc is '0'"));
  const Program::Environment lone = {
      {"RANK", "1"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "1"}, {"MASTER_PORT", "1"}, {"MASTER_ADDR", "127.0.0.1"}};
  const Outcome alone = site.train("lm_full", "alone", {"distributed.timeout=2s"}, lone);
  CHECK(alone.code == 7);
  CHECK_THAT(alone.err, ContainsSubstring("was not found at 127.0.0.1:1 within 2"));
}

TEST_CASE("a batch script for Slurm asks to be warned, puts itself back, and quotes what a shell would split",
          "[end_to_end]") {
  const Site site;
  const Outcome script =
      site.program.run({"slurm", source("recipes/smoke/lm_full.yaml"), "description=it's small", "--gpus", "8",
                        "--nodes", "2", "--time", "12:00:00", "--out", "runs/a b", "--quiet"});
  CHECK(script.code == 0);
  for (const char* line : {"#SBATCH --ntasks-per-node=8\n", "#SBATCH --gpus-per-node=8\n", "#SBATCH --requeue\n",
                           "#SBATCH --signal=USR1@120", "'description=it'\\''s small' --out 'runs/a b'\n",
                           "[ $code -ne 75 ] || scontrol requeue \"$SLURM_JOB_ID\"\n"})
    CHECK_THAT(script.out, ContainsSubstring(line));
  CHECK(site.program.run({"slurm", source("recipes/smoke/lm_full.yaml"), "optim.lrr=1"}).code == 2);
}

}  // namespace sst
