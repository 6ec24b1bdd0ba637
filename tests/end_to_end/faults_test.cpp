#include <sys/mount.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/program.hpp"
#include "tests/support/site.hpp"
#include "tests/support/skip.hpp"

// What machines do to a run, and what the user sees then: docs/reliability.md.
namespace sst {
namespace {

using testing::Outcome;
using testing::Program;
using testing::Site;
using testing::wait_for;

/// The run of all these tests: forty steps of a small language model, whose schedule does not depend on where it is cut.
std::vector<std::string> command(const std::string& out, std::vector<std::string> more = {}) {
  more.insert(more.begin(), "schedule.decay_steps=40");
  return Site::command("lm_full", out, std::move(more));
}

Outcome train(const Site& site, const std::string& out, std::vector<std::string> more = {},
              const Program::Environment& environment = {}) {
  return site.program.run(command(out, std::move(more)), environment);
}

/// A file system of its own, in memory, for a run that fills it.
class SmallDisk {
 public:
  SmallDisk(const std::filesystem::path& folder, const std::string& size) : folder_(folder) {
    std::filesystem::create_directories(folder);
    is_there_ = ::mount("tmpfs", folder.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (is_there_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  /// Mounting takes root; says so where that is not to be had.
  bool is_there() const {
    if (!is_there_) testing::skip("file systems cannot be mounted here (that takes root)");
    return is_there_;
  }
  bool remount(const std::string& options, unsigned long flags = 0) const {
    return ::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT | flags, options.c_str()) == 0;
  }

 private:
  std::filesystem::path folder_;
  bool is_there_ = false;
};

}  // namespace

TEST_CASE("a disk that is full ends the run with 5, and it goes on when there is room again", "[end_to_end]") {
  const Site site;
  const SmallDisk disk(site.folder.path() / "disk", "600k");
  if (!disk.is_there()) return;
  REQUIRE(train(site, "whole", {"checkpoint.keep_last=40"}).code == 0);
  const std::vector<std::string> often = {"checkpoint.keep_last=40", "checkpoint.every=2"};
  const Outcome full = train(site, "disk/run", often);
  INFO(full.err);
  CHECK(full.code == 5);
  CHECK_THAT(full.err, ContainsSubstring("No space left on device"));
  REQUIRE(disk.remount("size=60m"));
  REQUIRE(train(site, "disk/run", often).code == 0);
  CHECK(site.are_equal("whole", "disk/run"));
}

TEST_CASE("a disk that may not be written ends the run with 5", "[end_to_end]") {
  const Site site;
  const SmallDisk disk(site.folder.path() / "disk", "60m");
  if (!disk.is_there()) return;
  REQUIRE(disk.remount("", MS_RDONLY));
  const Outcome refused = train(site, "disk/run");
  INFO(refused.err);
  CHECK(refused.code == 5);
  CHECK_THAT(refused.err, ContainsSubstring("Read-only file system"));
}

TEST_CASE("a file system that turns read-only in a save loses nothing", "[end_to_end]") {
  const Site site;
  REQUIRE(train(site, "whole").code == 0);
  const Outcome turned = train(site, "cut", {}, {{"SST_FAULT", "checkpoint.after_file:9:read_only"}});
  INFO(turned.err);
  CHECK(turned.code == 5);
  CHECK_THAT(turned.err, ContainsSubstring("Read-only file system"));
  REQUIRE(train(site, "cut").code == 0);
  CHECK(site.are_equal("whole", "cut"));
}

TEST_CASE("a second process in the directory of a run is refused with its owner's name", "[end_to_end]") {
  const Site site;
  const pid_t first = site.program.start(command("run", {"train.max_steps=1M", "eval.every=off"}));
  wait_for(site.folder.path() / "run/metrics.jsonl");
  const Program second(site.folder.path());
  const Outcome refused = second.run(command("run", {"train.max_steps=1M", "eval.every=off"}));
  INFO(refused.err);
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, ContainsSubstring(std::to_string(first)));
  ::kill(first, SIGKILL);
  site.program.wait(first);
  // What the dead one leaves is no hindrance.
  CHECK(train(site, "run", {"train.max_steps=40"}).code == 0);
}

TEST_CASE("a damaged newest checkpoint is passed over for the one before it", "[end_to_end]") {
  const Site site;
  REQUIRE(train(site, "whole").code == 0);
  REQUIRE(train(site, "cut", {"train.max_steps=30"}).code == 0);
  const auto newest = site.folder.path() / "cut/checkpoints/step-00000030/model.safetensors";
  if (GENERATE(true, false)) {
    std::filesystem::resize_file(newest, std::filesystem::file_size(newest) / 2);
  } else {
    std::fstream file(newest, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-3, std::ios::end);
    file.put('\x5a');
  }
  const Outcome again = train(site, "cut");
  INFO(again.err);
  REQUIRE(again.code == 0);
  CHECK_THAT(again.err, ContainsSubstring("resuming step 20"));
  CHECK(site.are_equal("whole", "cut"));
}

TEST_CASE("data that changed since the checkpoint are refused", "[end_to_end]") {
  const Site site;
  REQUIRE(train(site, "run", {"train.max_steps=20"}).code == 0);
  testing::write_smoke_texts(site.folder.path(), "do do do lo ");
  const Outcome refused = train(site, "run");
  INFO(refused.err);
  CHECK(refused.code == 4);
  CHECK_THAT(refused.err, ContainsSubstring("data have changed"));
}

TEST_CASE("token files that are cut short under a run end it with 3", "[end_to_end]") {
  const Site site;
  const auto shards = site.folder.path() / "data/tokens";
  std::filesystem::create_directories(shards);
  for (const char* name : {"train.bin", "valid.bin"}) {
    std::ofstream file(shards / name, std::ios::binary);
    for (int64_t i = 0; i < (1 << 20); ++i) {
      const auto token = static_cast<uint16_t>(i * 7919 % 251);
      file.write(reinterpret_cast<const char*>(&token), sizeof token);
    }
  }
  const pid_t pid = site.program.start(
      command("run", {"data.format=tokens", "data.train=tokens/train.bin", "data.valid=tokens/valid.bin",
                      "tokenizer.type=bytes", "train.max_steps=1M", "eval.every=off", "eval.at_end=false"}));
  wait_for(site.folder.path() / "run/metrics.jsonl");
  std::filesystem::resize_file(shards / "train.bin", 4096);
  const Outcome lost = site.program.wait(pid);
  INFO(lost.err);
  CHECK(lost.code == 3);
  CHECK_THAT(lost.err, ContainsSubstring("became shorter"));
}

TEST_CASE("a gradient that is not finite is left out, and ends the run with 6 where none may be", "[end_to_end]") {
  const Site site;
  const Outcome skipped =
      train(site, "skipped", {"train.nonfinite_patience=1"}, {{"SST_FAULT", "train.gradient:5:nan"}});
  INFO(skipped.err);
  CHECK(skipped.code == 0);
  CHECK_THAT(skipped.err, ContainsSubstring("step 5"));
  const Outcome ended = train(site, "ended", {"train.nonfinite_patience=0"}, {{"SST_FAULT", "train.gradient:5:nan"}});
  INFO(ended.err);
  CHECK(ended.code == 6);
  CHECK_THAT(ended.err, ContainsSubstring("is not finite at step 5"));
}

TEST_CASE("without memory a run ends with 5, and says what it needs and what saves most", "[end_to_end]") {
  Site site;
  const Outcome in_step = train(site, "step", {}, {{"SST_FAULT", "train.step.rank0:3:no_memory"}});
  INFO(in_step.err);
  CHECK(in_step.code == 5);
  CHECK_THAT(in_step.err, ContainsSubstring("out of memory in step 3"));
  CHECK_THAT(in_step.err, ContainsSubstring("the run takes about"));
  REQUIRE(train(site, "step").code == 0);

  site.program.memory = rlim_t{3} << 30;
  const Outcome building = train(site, "building", {"model.hidden_size=2048", "model.num_layers=24"});
  INFO(building.err);
  CHECK(building.code == 5);
  CHECK_THAT(building.err, ContainsSubstring("out of memory while building the model"));
  CHECK_THAT(building.err, ContainsSubstring("model.hidden_size=1024 (saves "));
  size_t remedies = 0;
  for (size_t at = building.err.find("(saves "); at != std::string::npos; at = building.err.find("(saves ", at + 1))
    ++remedies;
  CHECK(remedies == 3);
}

TEST_CASE("a clock that jumps changes nothing", "[end_to_end]") {
  const char* library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
  if (!std::filesystem::exists(library)) {
    testing::skip("libfaketime is not installed");
    return;
  }
  const Site site;
  REQUIRE(train(site, "whole").code == 0);
  // Forty years back for the second part, then ten years ahead.
  for (const auto& [steps, clock] : {std::pair{"12", "+0d"}, {"26", "-14600d"}, {"40", "+3650d"}}) {
    const Outcome part = train(site, "cut", {"train.max_steps=" + std::string(steps)},
                               {{"LD_PRELOAD", library}, {"FAKETIME", clock}, {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}});
    INFO(part.err);
    REQUIRE(part.code == 0);
  }
  CHECK(site.are_equal("whole", "cut"));
}

TEST_CASE("a process that hangs ends the others with 7 within the time-out", "[end_to_end][slow]") {
  const Site site;
  const auto start = std::chrono::steady_clock::now();
  const Outcome late =
      train(site, "late", {"--nproc", "2", "distributed.timeout=5s"}, {{"SST_FAULT", "train.step.rank1:3:slow"}});
  INFO(late.err);
  CHECK(late.code == 7);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(40));
  CHECK_THAT(late.err, ContainsSubstring("lost, or is late"));
  const Outcome lost = train(site, "lost", {"--nproc", "2"}, {{"SST_FAULT", "train.step.rank1:7:kill"}});
  CHECK(lost.code == 7);
  REQUIRE(train(site, "lost", {"--nproc", "2"}).code == 0);
  REQUIRE(train(site, "whole", {"--nproc", "2"}).code == 0);
  CHECK(site.are_equal("whole", "lost"));
}

TEST_CASE("a process that is slow, but not too slow, changes nothing", "[end_to_end][slow]") {
  const Site site;
  const std::vector<std::string> two = {"--nproc", "2"};
  REQUIRE(train(site, "whole", two).code == 0);
  const auto start = std::chrono::steady_clock::now();
  const Outcome slow = train(site, "slow", two, {{"SST_FAULT", "train.step.rank1:3:slow"}});
  INFO(slow.err);
  REQUIRE(slow.code == 0);
  CHECK(std::chrono::steady_clock::now() - start > std::chrono::seconds(20));
  CHECK(site.are_equal("whole", "slow"));
}

TEST_CASE("several processes end with the code of what went wrong in one of them", "[end_to_end]") {
  const Site site;
  const std::vector<std::string> two = {"--nproc", "2"};
  REQUIRE(train(site, "whole", two).code == 0);
  const Outcome full = train(site, "run", two, {{"SST_FAULT", "checkpoint.after_file:9:no_space"}});
  INFO(full.err);
  CHECK(full.code == 5);
  CHECK_THAT(full.err, ContainsSubstring("No space left on device"));
  REQUIRE(train(site, "run", two).code == 0);
  CHECK(site.are_equal("whole", "run"));
  const Outcome ended =
      train(site, "ended", {"--nproc", "2", "train.nonfinite_patience=0"}, {{"SST_FAULT", "train.gradient:5:nan"}});
  INFO(ended.err);
  CHECK(ended.code == 6);
  CHECK_THAT(ended.err, ContainsSubstring("is not finite at step 5"));
}

}  // namespace sst
