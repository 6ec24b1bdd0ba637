#include "run/run_folder.hpp"

#include <algorithm>
#include <cstdlib>

#include "core/error.hpp"
#include "core/file.hpp"
#include "run/host.hpp"
#include "run/run_lock.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::run {
namespace {

using nlohmann::json;
using sst::testing::TemporaryFolder;
namespace fs = std::filesystem;

json read_json(const fs::path& path) { return json::parse(read_file(path)); }

}  // namespace

TEST_CASE("a run directory tells its state from the first attempt to DONE", "[run]") {
  const TemporaryFolder folder;
  const fs::path path = folder / "runs/cora/3fa9c1d2-s1";
  CHECK_FALSE(RunFolder::holds_a_run(path));
  RunFolder run(path);
  CHECK_FALSE(RunFolder::holds_a_run(path));
  run.begin_attempt(recipe::Recipe(), {"sst-train", "r.yaml"}, 0);
  CHECK(RunFolder::holds_a_run(path));
  CHECK(read_json(path / "run.json")["state"] == "running");
  CHECK(fs::exists(path / "recipe.yaml"));
  CHECK(fs::exists(path / "recipe.input.yaml"));
  CHECK_FALSE(RunFolder::done(path));

  run.update({{"step", 40}, {"best", {{"step", 30}, {"value", 0.8}}}});
  run.end_attempt("finished", 0, "max_epochs reached");
  run.mark_done({{"step", 40}, {"recipe_hash", "3fa9c1d2"}});
  const json state = read_json(path / "run.json");
  CHECK(state["state"] == "finished");
  CHECK(state["exit_code"] == 0);
  CHECK(state["step"] == 40);
  CHECK(state["best"]["value"] == 0.8);
  CHECK(state["attempts"].size() == 1);
  CHECK(state["attempts"][0]["reason"] == "max_epochs reached");
  CHECK(RunFolder::done(path)->at("step") == 40);
}

TEST_CASE("attempts add up over restarts, and one without an end was killed", "[run]") {
  const TemporaryFolder folder;
  {
    RunFolder run(folder / "r");
    run.begin_attempt(recipe::Recipe(), {}, 0);
    run.end_attempt("stopped", 75, "SIGTERM");
    run.begin_attempt(recipe::Recipe(), {}, 10);
  }
  RunFolder run(folder / "r");
  run.begin_attempt(recipe::Recipe(), {}, 20);
  CHECK(run.attempts() == 3);
  const json attempts = read_json(folder / "r/run.json")["attempts"];
  CHECK(attempts[0]["reason"] == "SIGTERM");
  CHECK(attempts[1]["reason"] == "killed");
  CHECK_FALSE(attempts[1].contains("ended"));
  CHECK(attempts[2]["from_step"] == 20);
}

TEST_CASE("a new attempt takes DONE and a leftover stop file away", "[run]") {
  const TemporaryFolder folder;
  RunFolder run(folder / "r");
  run.begin_attempt(recipe::Recipe(), {}, 0);
  run.mark_done({{"step", 1}});
  write_file_synced(folder / "r/stop", "");
  run.begin_attempt(recipe::Recipe(), {}, 1);
  CHECK_FALSE(RunFolder::done(folder / "r"));
  CHECK_FALSE(run.take_stop_request());
}

TEST_CASE("a torn run.json or DONE is taken for none", "[run]") {
  const TemporaryFolder folder;
  fs::create_directories(folder / "r");
  write_file_synced(folder / "r/run.json", "{\"state\": \"runn");
  write_file_synced(folder / "r/DONE", "");
  CHECK_FALSE(RunFolder::done(folder / "r"));
  RunFolder run(folder / "r");
  CHECK(run.attempts() == 0);
  run.begin_attempt(recipe::Recipe(), {}, 0);
  CHECK(read_json(folder / "r/run.json")["attempts"].size() == 1);
}

TEST_CASE("overwriting moves the old run aside under the next free number", "[run]") {
  const TemporaryFolder folder;
  for (const std::string name : {"first", "second"}) {
    RunFolder run(folder / "r");
    write_file_synced(folder / "r/log.txt", name);
    RunFolder::move_aside(folder / "r/");
    CHECK_FALSE(fs::exists(folder / "r"));
  }
  CHECK(read_file(folder / "r.old-1/log.txt") == "first");
  CHECK(read_file(folder / "r.old-2/log.txt") == "second");
  CHECK_NOTHROW(RunFolder::move_aside(folder / "r"));
  CHECK_FALSE(fs::exists(folder / "r.old-3"));
}

TEST_CASE("a run that still trains is not moved aside", "[run]") {
  const TemporaryFolder folder;
  const RunFolder run(folder / "r");
  const RunLock lock(folder / "r");
  CHECK_THROWS_AS(RunFolder::move_aside(folder / "r"), UserError);
  CHECK(fs::exists(folder / "r/lock"));
}

TEST_CASE("a folder of other files does not become a run directory", "[run]") {
  const TemporaryFolder folder;
  fs::create_directories(folder / "home");
  write_file_synced(folder / "home/thesis.tex", "x");
  CHECK_THROWS_AS(RunFolder(folder / "home"), UserError);
  CHECK_THROWS_AS(RunFolder(folder / "home/thesis.tex"), ResourceError);
  CHECK_THROWS_AS(RunFolder::move_aside(folder / "home/thesis.tex"), UserError);
  // What a run killed in its first moments left is no hindrance.
  fs::create_directories(folder / "killed");
  write_file_synced(folder / "killed/lock", "");
  write_file_synced(folder / "killed/recipe.yaml", "");
  write_file_synced(folder / "killed/run.json.tmp-12", "");
  CHECK_NOTHROW(RunFolder(folder / "killed"));
}

TEST_CASE("an attempt sweeps away the files that a killed one had half written", "[run]") {
  const TemporaryFolder folder;
  RunFolder run(folder / "r");
  fs::create_directories(folder / "r/eval/step-00000010");
  for (const char* left : {"run.json.tmp-99999999", "eval/step-00000010/samples.txt.tmp-99999998"})
    write_file_synced(folder / "r" / left, "half");
  for (const char* kept : {"eval/step-00000010/samples.txt", "log.tmp-x", "notes.tmp-", "report.md.tmp-1"})
    write_file_synced(folder / "r" / kept, "whole");
  run.begin_attempt(recipe::Recipe(), {}, 0);
  CHECK_FALSE(fs::exists(folder / "r/run.json.tmp-99999999"));
  CHECK_FALSE(fs::exists(folder / "r/eval/step-00000010/samples.txt.tmp-99999998"));
  CHECK(fs::exists(folder / "r/eval/step-00000010/samples.txt"));
  CHECK(fs::exists(folder / "r/log.tmp-x"));
  CHECK(fs::exists(folder / "r/notes.tmp-"));
  CHECK(fs::exists(folder / "r/report.md.tmp-1"));  // whose process lives
}

TEST_CASE("an attempt sweeps away the addresses that killed leaders left", "[run]") {
  const TemporaryFolder folder;
  RunFolder run(folder / "r");
  for (const char* left : {".rendezvous-7.0.0", ".rendezvous-prterun-vm-77.1"})
    write_file_synced(folder / "r" / left, "n01 20007\n");
  write_file_synced(folder / "r/.rendezvous", "somebody's");
  run.begin_attempt(recipe::Recipe(), {}, 0);
  CHECK_FALSE(fs::exists(folder / "r/.rendezvous-7.0.0"));
  CHECK_FALSE(fs::exists(folder / "r/.rendezvous-prterun-vm-77.1"));
  CHECK(fs::exists(folder / "r/.rendezvous"));
}

TEST_CASE("the files stop and save are seen once", "[run]") {
  const TemporaryFolder folder;
  RunFolder run(folder / "r");
  CHECK_FALSE(run.take_stop_request());
  write_file_synced(folder / "r/stop", "");
  write_file_synced(folder / "r/save", "");
  CHECK(run.take_save_request());
  CHECK_FALSE(run.take_save_request());
  CHECK(run.take_stop_request());
  CHECK_FALSE(run.take_stop_request());
}

TEST_CASE("environment.json says where and how, and keeps secrets out", "[run]") {
  const TemporaryFolder folder;
  ::setenv("SLURM_JOB_ID", "4711", 1);
  ::setenv("SLURM_JWT", "secret", 1);
  ::setenv("SST_API_KEY", "secret", 1);
  ::setenv("DATABASE_URL", "secret", 1);
  ::setenv("RANK", "0", 1);
  RunFolder run(folder / "r");
  run.begin_attempt(recipe::Recipe(), {"sst-train", "r.yaml", "seed=2"}, 0);
  const std::string text = read_file(folder / "r/environment.json");
  const json environment = json::parse(text);
  CHECK(environment["argv"] == json::array({"sst-train", "r.yaml", "seed=2"}));
  CHECK(environment["host"] == host_name());
  CHECK(environment["job"] == "4711");
  CHECK(environment["variables"]["SLURM_JOB_ID"] == "4711");
  CHECK(environment["variables"]["RANK"] == "0");
  CHECK(environment.contains("libtorch"));
  CHECK(text.find("secret") == std::string::npos);
  for (const char* name : {"SLURM_JOB_ID", "SLURM_JWT", "SST_API_KEY", "DATABASE_URL", "RANK"}) ::unsetenv(name);
}

}  // namespace sst::run
