#include "run/run_lock.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/file.hpp"
#include "run/host.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::run {
namespace {

using sst::testing::TemporaryFolder;
namespace fs = std::filesystem;

void leave_lock(const fs::path& folder, const std::string& host, int64_t pid, std::chrono::minutes silent_for) {
  const nlohmann::json owner = {{"host", host}, {"pid", pid}, {"job", "88"}, {"since", "2026-11-22T12:44:10Z"}};
  write_file_synced(folder / "lock", owner.dump());
  fs::last_write_time(folder / "lock", fs::file_time_type::clock::now() - silent_for);
}

std::string refusal(const fs::path& folder) {
  try {
    const RunLock lock(folder);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

/// A child that holds the lock until it is killed; returns once it has it.
pid_t start_owner(const fs::path& folder) {
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const RunLock lock(folder);
    (void)!::write(ready[1], "x", 1);
    for (;;) ::pause();
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  ::close(ready[0]);
  ::close(ready[1]);
  return child;
}

void kill_and_reap(pid_t child) {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace

TEST_CASE("a run directory has one owner at a time, and none afterwards", "[run]") {
  const TemporaryFolder folder;
  {
    RunLock lock(folder.path());
    const auto owner = nlohmann::json::parse(read_file(folder / "lock"));
    CHECK(owner["pid"] == ::getpid());
    CHECK(owner["host"] == host_name());
    CHECK_THAT(refusal(folder.path()), ContainsSubstring("process " + std::to_string(::getpid())));
    lock.heartbeat();
  }
  CHECK_FALSE(fs::exists(folder / "lock"));
  CHECK(refusal(folder.path()).empty());
}

TEST_CASE("the lock of a live process is refused with its owner's name", "[run]") {
  const TemporaryFolder folder;
  const pid_t child = start_owner(folder.path());
  const std::string message = refusal(folder.path());
  // A live owner on this host keeps its lock however long it has been silent.
  fs::last_write_time(folder / "lock", fs::file_time_type::clock::now() - std::chrono::hours(5));
  const std::string later = refusal(folder.path());
  kill_and_reap(child);
  CHECK_THAT(message, ContainsSubstring("process " + std::to_string(child) + " on " + host_name()));
  CHECK_THAT(later, ContainsSubstring("process " + std::to_string(child)));
}

TEST_CASE("the lock of a killed process is taken over at once", "[run]") {
  const TemporaryFolder folder;
  kill_and_reap(start_owner(folder.path()));
  CHECK(fs::exists(folder / "lock"));
  const RunLock lock(folder.path());
  CHECK(nlohmann::json::parse(read_file(folder / "lock"))["pid"] == ::getpid());
}

TEST_CASE("another host's lock counts until ten minutes without heartbeat", "[run]") {
  const TemporaryFolder folder;
  leave_lock(folder.path(), "some-other-host", 1, std::chrono::minutes(9));
  CHECK_THAT(refusal(folder.path()), ContainsSubstring("process 1 on some-other-host, job 88"));
  CHECK(fs::exists(folder / "lock"));
  leave_lock(folder.path(), "some-other-host", 1, std::chrono::minutes(11));
  const RunLock lock(folder.path());
  CHECK(nlohmann::json::parse(read_file(folder / "lock"))["host"] == host_name());
}

TEST_CASE("a silent host whose lock the file server still keeps is given up, and notices it", "[run]") {
  const TemporaryFolder folder;
  const RunLock sleeper(folder.path());  // holds flock; what it wrote is replaced by another host's words
  leave_lock(folder.path(), "some-other-host", 1, std::chrono::minutes(11));
  {
    const RunLock heir(folder.path());
    CHECK(nlohmann::json::parse(read_file(folder / "lock"))["pid"] == ::getpid());
  }
  CHECK_FALSE(fs::exists(folder / "lock"));
}

TEST_CASE("an owner whose lock was deleted or taken learns of it", "[run]") {
  const TemporaryFolder folder;
  RunLock lock(folder.path());
  CHECK_NOTHROW(lock.heartbeat(std::chrono::seconds(0)));
  fs::remove(folder / "lock");
  CHECK_THROWS_AS(lock.heartbeat(std::chrono::seconds(0)), UserError);
}

TEST_CASE("a heartbeat makes the file young again", "[run]") {
  const TemporaryFolder folder;
  RunLock lock(folder.path());
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  fs::last_write_time(folder / "lock", old);
  lock.heartbeat();  // not yet due
  CHECK(fs::last_write_time(folder / "lock") == old);
  lock.heartbeat(std::chrono::seconds(0));
  CHECK(fs::last_write_time(folder / "lock") > old + std::chrono::minutes(59));
}

TEST_CASE("an empty or torn lock file that nobody holds is no owner", "[run]") {
  const TemporaryFolder folder;
  for (const std::string text : {"", "{\"host\":", "{\"host\":3,\"pid\":1,\"job\":\"\"}"}) {
    write_file_synced(folder / "lock", text);
    CHECK(refusal(folder.path()).empty());
  }
}

TEST_CASE("a folder that may not be written is a lack of resources, not of sense", "[run]") {
  CHECK_THROWS_AS(RunLock("/proc/self/no-such-folder"), ResourceError);
}

}  // namespace sst::run
