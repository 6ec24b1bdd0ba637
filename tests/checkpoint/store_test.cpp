#include "checkpoint/store.hpp"

#include <sys/wait.h>
#include <torch/types.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::checkpoint {
namespace {

using nlohmann::json;
using sst::testing::TemporaryFolder;
namespace fs = std::filesystem;

/// A checkpoint whose every part tells its step.
Contents contents_of(int64_t step) {
  const auto value = static_cast<double>(step);
  Contents contents;
  contents.step = step;
  contents.model = {{"encoder.weight", torch::full({3, 2}, value)}, {"encoder.bias", torch::full({3}, value / 3)}};
  contents.optimizer = {{"exp_avg/encoder.weight", torch::full({3, 2}, value, torch::kFloat32)}};
  contents.method = {{"slots", torch::full({4}, step, torch::kInt64)}};
  contents.state = {{"step", step}, {"epoch", value / 7}, {"best", nullptr}};
  contents.rng = {{"seed", 1}, {"draw", step}};
  contents.recipe_yaml = "name: test\n";
  contents.recipe_hash = "3fa9c1d2";
  contents.writer_version = "0.1.0";
  return contents;
}

void check_is_step(const Contents& contents, int64_t step) {
  const auto expected = contents_of(step);
  CHECK(contents.step == step);
  CHECK(contents.state == expected.state);
  CHECK(contents.rng == expected.rng);
  CHECK(contents.recipe_yaml == expected.recipe_yaml);
  CHECK(contents.recipe_hash == expected.recipe_hash);
  CHECK(contents.writer_version == expected.writer_version);
  const auto same = [](const tensor::NamedTensors& a, const tensor::NamedTensors& b) {
    REQUIRE(a.size() == b.size());
    for (const auto& [name, value] : a) CHECK(torch::equal(value, b.at(name)));
  };
  same(contents.model, expected.model);
  same(contents.optimizer, expected.optimizer);
  same(contents.method, expected.method);
}

json read_index(const fs::path& folder) { return json::parse(read_file(folder / "index.json")); }

std::vector<std::string> leftovers(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().find(".tmp-") != std::string::npos ||
        starts_with(entry.path().filename().string(), ".old-"))
      names.push_back(entry.path().filename().string());
  return names;
}

void append_byte(const fs::path& path) { std::ofstream(path, std::ios::binary | std::ios::app) << 'x'; }

void flip_last_byte(const fs::path& path) {
  std::string bytes = read_file(path);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_file_synced(path, bytes);
}

std::string reason_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a saved checkpoint is loaded as it was", "[run]") {
  const TemporaryFolder folder;
  Store store(folder / "checkpoints");
  CHECK_FALSE(store.newest_good());
  const fs::path path = store.save(contents_of(12));
  CHECK(path.filename() == "step-00000012");
  check_is_step(store.load("last"), 12);
  check_is_step(load(path), 12);
  CHECK(store.newest_good()->folder == path);
  for (const char* name : {"model.safetensors", "optimizer.safetensors", "method.safetensors", "state.json", "rng.json",
                           "recipe.yaml", "MANIFEST.json"})
    CHECK(fs::exists(path / name));
  const auto note = read_note(path);
  CHECK(note.recipe_hash == "3fa9c1d2");
  CHECK(note.written.size() == 20);
}

TEST_CASE("only the last, the best and those to keep forever stay", "[run]") {
  const TemporaryFolder folder;
  Store store(folder.path(), {.keep_last = 2, .keep_best = 1, .higher_is_better = true});
  store.save(contents_of(1), {.score = 0.5, .keep_forever = true});
  store.save(contents_of(2), {.score = 0.9});
  store.save(contents_of(3), {.score = 0.9});  // not strictly better
  store.save(contents_of(4), {.score = NAN});
  store.save(contents_of(5));
  store.save(contents_of(6));
  CHECK(join(store.names(), " ") == "step-00000001 step-00000002 step-00000005 step-00000006");
  CHECK(store.best()->filename() == "step-00000002");
  const json index = read_index(folder.path());
  CHECK(index["last"] == "step-00000006");
  CHECK(index["best"] == json::array({"step-00000002"}));
  CHECK(index["all"].size() == 4);
  CHECK(fs::read_symlink(folder / "last") == "step-00000006");
  CHECK(fs::read_symlink(folder / "best") == "step-00000002");
  check_is_step(load(folder / "best"), 2);
}

TEST_CASE("where less is better the lowest score is the best", "[run]") {
  const TemporaryFolder folder;
  Store store(folder.path(), {.keep_last = 1, .keep_best = 2, .higher_is_better = false});
  store.save(contents_of(1), {.score = 3.0});
  store.save(contents_of(2), {.score = 1.0});
  store.save(contents_of(3), {.score = 2.0});
  store.save(contents_of(4), {.score = 5.0});
  CHECK(join(store.names(), " ") == "step-00000002 step-00000003 step-00000004");
  CHECK(read_index(folder.path())["best"] == json::array({"step-00000002", "step-00000003"}));
  // A reader that was told nothing finds the same: the manifests say how scores compare.
  CHECK(Store(folder.path()).best()->filename() == "step-00000002");
}

TEST_CASE("a best that is written after a later step does not push the last one out", "[run]") {
  const TemporaryFolder folder;
  Store store(folder.path(), {.keep_last = 1, .keep_best = 1});
  store.save(contents_of(20));
  store.save(contents_of(15), {.score = 0.7});
  CHECK(join(store.names(), " ") == "step-00000015 step-00000020");
  CHECK(read_index(folder.path())["last"] == "step-00000020");
}

TEST_CASE("saving a step again replaces it", "[run]") {
  const TemporaryFolder folder;
  Store store(folder.path(), {.keep_last = 1});
  store.save(contents_of(7));
  auto changed = contents_of(7);
  changed.state["epoch"] = 99;
  store.save(changed);
  CHECK(store.load("step-7").state["epoch"] == 99);
  CHECK(leftovers(folder.path()).empty());
}

TEST_CASE("a damaged checkpoint is skipped for the one before it, and refused when named", "[run]") {
  struct Damage {
    std::string reason;
    std::function<void(const fs::path&)> apply;
  };
  const std::vector<Damage> kinds = {
      {"MANIFEST.json is missing", [](const fs::path& path) { fs::remove(path / "MANIFEST.json"); }},
      {"not valid JSON", [](const fs::path& path) { write_file_synced(path / "MANIFEST.json", "{"); }},
      {"no sound 'format'", [](const fs::path& path) { write_file_synced(path / "MANIFEST.json", "[]"); }},
      {"model.safetensors has", [](const fs::path& path) { append_byte(path / "model.safetensors"); }},
      {"optimizer.safetensors is damaged",
       [](const fs::path& path) { flip_last_byte(path / "optimizer.safetensors"); }},
      {"state.json is damaged", [](const fs::path& path) { flip_last_byte(path / "state.json"); }},
      {"rng.json cannot be read", [](const fs::path& path) { fs::remove(path / "rng.json"); }},
      {"it has format 2",
       [](const fs::path& path) {
         auto manifest = json::parse(read_file(path / "MANIFEST.json"));
         manifest["format"] = 2;
         write_file_synced(path / "MANIFEST.json", manifest.dump());
       }},
      {"does not describe recipe.yaml", [](const fs::path& path) {
         auto manifest = json::parse(read_file(path / "MANIFEST.json"));
         manifest["files"].erase("recipe.yaml");
         write_file_synced(path / "MANIFEST.json", manifest.dump());
       }}};
  for (const Damage& damage : kinds) {
    CAPTURE(damage.reason);
    const TemporaryFolder folder;
    Store store(folder.path());
    store.save(contents_of(1));
    store.save(contents_of(2));
    damage.apply(folder / "step-00000002");
    CHECK(store.newest_good()->folder.filename() == "step-00000001");
    const std::string reason = reason_of([&] { load(folder / "step-00000002"); });
    CHECK_THAT(reason, ContainsSubstring(damage.reason));
    CHECK_THAT(reason, ContainsSubstring("step-00000002"));
    CHECK_THROWS_AS(store.load("step-2"), CheckpointError);
  }
}

TEST_CASE("checkpoints later than the resumed step are set aside, not lost", "[run]") {
  const TemporaryFolder folder;
  Store store(folder.path(), {.keep_last = 3});
  for (const int64_t step : {1, 2, 3}) store.save(contents_of(step));
  store.set_aside_after(1);
  CHECK(join(store.names(), " ") == "step-00000001");
  CHECK(store.newest_good()->folder.filename() == "step-00000001");
  check_is_step(load(folder / "set-aside-step-00000003"), 3);
  CHECK(read_index(folder.path())["last"] == "step-00000001");
  store.save(contents_of(2));
  store.set_aside_after(1);
  CHECK(fs::exists(folder / "set-aside-step-00000002-2"));
}

TEST_CASE("index and links are made anew from the folders", "[run]") {
  const TemporaryFolder folder;
  Store(folder.path()).save(contents_of(4), {.score = 1.0});
  const std::string index = read_file(folder / "index.json");
  write_file_synced(folder / "index.json", "{\"last\":");
  fs::remove(folder / "best");
  fs::remove(folder / "last");
  fs::create_directory_symlink("step-00000099", folder / "last");
  Store(folder.path()).recover();
  CHECK(read_file(folder / "index.json") == index);
  CHECK(fs::read_symlink(folder / "best") == "step-00000004");
  CHECK(fs::read_symlink(folder / "last") == "step-00000004");
}

TEST_CASE("weights alone are kept as the last ones but never resumed from", "[run]") {
  const TemporaryFolder folder;
  Store store(folder.path(), {.keep_last = 1});
  store.save(contents_of(1));
  store.save(contents_of(2), {.weights_only = true});
  CHECK(store.newest_good()->folder.filename() == "step-00000001");
  const auto loaded = store.load("last");
  CHECK(loaded.step == 2);
  CHECK(loaded.optimizer.empty());
  CHECK(torch::equal(loaded.model.at("encoder.bias"), contents_of(2).model.at("encoder.bias")));
}

TEST_CASE("a value that JSON cannot hold is refused before it is lost", "[run]") {
  const TemporaryFolder folder;
  Store store(folder.path());
  store.save(contents_of(1));
  auto bad = contents_of(2);
  bad.state["spikes"] = {1.0, INFINITY};
  CHECK_THROWS_AS(store.save(bad), std::logic_error);
  CHECK(store.newest_good()->folder.filename() == "step-00000001");
  CHECK(leftovers(folder.path()).empty());
}

TEST_CASE("a run or a checkpoint is found from what the user names", "[run]") {
  const TemporaryFolder folder;
  Store store(folder / "checkpoints");
  store.save(contents_of(1), {.score = 2.0});
  store.save(contents_of(2), {.score = 1.0});
  CHECK(find(folder.path()).filename() == "step-00000001");
  CHECK(find(folder.path(), "last").filename() == "step-00000002");
  CHECK(find(folder / "checkpoints", "step-2").filename() == "step-00000002");
  CHECK(find(folder / "checkpoints/step-00000002").filename() == "step-00000002");
  CHECK_THAT(reason_of([&] { find(folder.path(), "step-3"); }), ContainsSubstring("no checkpoint 'step-3'"));
  CHECK_THAT(reason_of([&] { find(folder / "absent"); }), ContainsSubstring("does not exist"));
  write_file_synced(folder / "model.pt", "x");
  CHECK_THAT(reason_of([&] { find(folder / "model.pt"); }), ContainsSubstring("pickle"));
  fs::create_directory(folder / "empty");
  CHECK_THAT(reason_of([&] { find(folder / "empty"); }), ContainsSubstring("neither a run directory"));
}

namespace {

/// Four saves that pass every kind of fault point: a first one, a replaced one, a best one, and deletions.
void save_a_few(const fs::path& folder, const std::vector<Contents>& contents) {
  Store store(folder, {.keep_last = 1, .keep_best = 1});
  store.recover();
  store.save(contents[1], {.score = 0.5});
  store.save(contents[2]);
  store.save(contents[2], {.score = 0.9});
  store.save(contents[3]);
}

std::vector<Contents> steps_0_to_3() { return {contents_of(0), contents_of(1), contents_of(2), contents_of(3)}; }

}  // namespace

TEST_CASE("killed at any point of saving, the folder holds a good checkpoint that no later kill undoes", "[run]") {
  const auto contents = steps_0_to_3();
  int64_t newest = 0;
  for (int point = 1;; ++point) {
    REQUIRE(point < 1000);
    CAPTURE(point);
    const TemporaryFolder folder;
    Store(folder.path(), {.keep_last = 1}).save(contents[0]);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      arm_fault("*:" + std::to_string(point) + ":kill");
      save_a_few(folder.path(), contents);
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed) REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));

    Store store(folder.path(), {.keep_last = 1, .keep_best = 1});
    store.recover();
    const auto good = store.newest_good();
    REQUIRE(good);
    const auto& loaded = good->contents;
    check_is_step(loaded, loaded.step);
    CHECK(loaded.step >= newest);  // a later death never leaves less
    newest = loaded.step;
    CHECK(leftovers(folder.path()).empty());
    CHECK(read_index(folder.path())["last"] == folder_name(loaded.step));
    // And the run goes on from there.
    save_a_few(folder.path(), contents);
    check_is_step(store.load("last"), 3);
    check_is_step(store.load("best"), 2);
    CHECK(store.names().size() == 2);
    if (!killed) {
      CHECK(point > 60);  // four saves of more than fifteen points each: they are really passed
      break;
    }
  }
  CHECK(newest == 3);
}

TEST_CASE("a full disk at any write of a save loses nothing and leaves nothing behind", "[run]") {
  const auto contents = steps_0_to_3();
  for (const std::string mode : {"no_space", "short_write"}) {
    int failures = 0;
    for (int write = 1; write < 200; ++write) {
      CAPTURE(mode, write);
      const TemporaryFolder folder;
      Store store(folder.path(), {.keep_last = 1});
      store.save(contents[1]);
      arm_fault("file.write:" + std::to_string(write) + ":" + mode);
      bool failed = false;
      try {
        store.save(contents[2]);
      } catch (const ResourceError&) {
        failed = true;
      }
      const bool struck = take_write_fault() == WriteFault::kNone;
      arm_fault("");
      CHECK(struck);
      CHECK(leftovers(folder.path()).empty());
      const int64_t expected = failed ? 1 : 2;
      CHECK(store.newest_good()->contents.step == expected);
      failures += failed;
      if (!failed) break;
    }
    CHECK(failures >= 13);  // three tensor files, three others and the manifest
  }
}

}  // namespace sst::checkpoint
