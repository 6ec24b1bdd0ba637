#include "dist/local_launch.hpp"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "dist/rendezvous.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

// The launcher starts the program that it is in, which here is this one: its processes run the hidden cases below, and leave a
// file each to say what they saw. Cases with the tag [launch] also run under the thread sanitizer.
namespace sst::dist {
namespace {

using namespace std::chrono_literals;
using testing::TemporaryFolder;

constexpr const char* kMeetingPlace = "SST_TEST_MEETING_PLACE";
constexpr auto kChildPatience = 60s;  // under sanitizers, on a busy machine

std::filesystem::path meeting_place() { return std::getenv(kMeetingPlace); }

int64_t files_in(const std::filesystem::path& folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

bool wait_for_files(const std::filesystem::path& folder, int64_t count) {
  const auto end = std::chrono::steady_clock::now() + kChildPatience;
  while (files_in(folder) < count && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(10ms);
  return files_in(folder) >= count;
}

[[noreturn]] void leave(ExitCode code) { ::_exit(static_cast<int>(code)); }

/// What run_locally gives for processes that run the hidden case of that name and meet in `folder`.
ExitCode run_children(int64_t count, const std::string& name, const TemporaryFolder& folder) {
  ::setenv(kMeetingPlace, folder.path().c_str(), 1);
  return run_locally(count, {name});
}

}  // namespace

TEST_CASE("a child meets the others in the store", "[.]") {
  if (!was_launched_locally()) return;
  const Launch launch = detect_launch();
  const Meeting meeting(launch, meeting_place(), {.timeout = kChildPatience});
  meeting.store->add("met", 1);
  while (meeting.store->add("met", 0) < launch.size) std::this_thread::sleep_for(10ms);
  std::ofstream(meeting_place() / std::to_string(launch.rank)) << launch.local_rank << " of " << launch.local_size;
  leave(ExitCode::kDone);
}

TEST_CASE("a child fails when the last one has failed", "[.]") {
  if (!was_launched_locally()) return;
  const Launch launch = detect_launch();
  if (launch.rank < launch.size - 1) {
    wait_for_files(meeting_place(), 1);
    leave(ExitCode::kDistributed);
  }
  std::ofstream(meeting_place() / "failed") << "";
  leave(ExitCode::kDiverged);
}

TEST_CASE("a child is killed", "[.]") {
  if (!was_launched_locally()) return;
  if (detect_launch().rank == 0) ::raise(SIGKILL);
  leave(ExitCode::kDone);
}

TEST_CASE("a child stops at the first signal and fails at a second", "[.]") {
  if (!was_launched_locally()) return;
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::ofstream(meeting_place() / std::to_string(detect_launch().rank)) << "ready";
  const timespec patience{.tv_sec = 60, .tv_nsec = 0}, moment{.tv_sec = 0, .tv_nsec = 300'000'000};
  if (::sigtimedwait(&signals, nullptr, &patience) != SIGUSR1) leave(ExitCode::kInternal);
  leave(::sigtimedwait(&signals, nullptr, &moment) == SIGUSR1 ? ExitCode::kInternal : ExitCode::kStopped);
}

TEST_CASE("processes started here have ranks of their own and meet in the launcher's store", "[dist][launch]") {
  const int64_t count = GENERATE(1, 3);
  const TemporaryFolder folder;
  CHECK(run_children(count, "a child meets the others in the store", folder) == ExitCode::kDone);
  REQUIRE(files_in(folder.path()) == count);
  for (int64_t rank = 0; rank < count; ++rank) {
    std::ifstream file(folder / std::to_string(rank));
    CHECK(std::string(std::istreambuf_iterator<char>(file), {}) ==
          std::to_string(rank) + " of " + std::to_string(count));
  }
  CHECK_FALSE(was_launched_locally());
}

TEST_CASE("the launcher returns the code of the process that went wrong first", "[dist][launch]") {
  const TemporaryFolder folder;
  CHECK(run_children(3, "a child fails when the last one has failed", folder) == ExitCode::kDiverged);
  CHECK(run_children(2, "a child is killed", folder) == ExitCode::kDistributed);
}

TEST_CASE("a signal to the launcher reaches every process once", "[dist][launch]") {
  constexpr int64_t kCount = 3;
  const TemporaryFolder folder;
  bool all_were_ready = false;
  std::thread sender([&] {
    all_were_ready = wait_for_files(folder.path(), kCount);
    if (all_were_ready) ::kill(::getpid(), SIGUSR1);
  });
  const ExitCode code = run_children(kCount, "a child stops at the first signal and fails at a second", folder);
  sender.join();
  CHECK(all_were_ready);
  CHECK(code == ExitCode::kStopped);
}

}  // namespace sst::dist
