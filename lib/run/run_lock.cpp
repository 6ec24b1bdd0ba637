#include "run/run_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "run/host.hpp"

namespace sst::run {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// The lock file as its last owner left it.
struct Owner {
  std::string host;
  int64_t pid = 0;
  std::string job;
  double silent_s = 0;  ///< since the last heartbeat

  std::string text() const {
    return "process " + std::to_string(pid) + " on " + host + (job.empty() ? "" : ", job " + job) + ", last heard of " +
           human_duration(silent_s) + " ago";
  }
};

[[noreturn]] void fail(const fs::path& path, int error) {
  throw ResourceError("cannot lock '" + path.string() + "': " + std::strerror(error));
}

/// Nothing when the file is empty or torn: then nobody finished taking the lock.
std::optional<Owner> read_owner(int descriptor) {
  std::string text(4096, '\0');
  const ssize_t count = ::pread(descriptor, text.data(), text.size(), 0);
  if (count <= 0) return std::nullopt;
  text.resize(static_cast<size_t>(count));
  const json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return std::nullopt;
  Owner owner;
  try {
    owner = {parsed.at("host").get<std::string>(), parsed.at("pid").get<int64_t>(),
             parsed.at("job").get<std::string>()};
  } catch (const json::exception&) {
    return std::nullopt;
  }
  struct stat status {};
  if (::fstat(descriptor, &status) == 0) owner.silent_s = std::difftime(std::time(nullptr), status.st_mtime);
  return owner;
}

bool process_exists(int64_t pid) { return ::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM; }

bool same_file(int descriptor, const fs::path& path) {
  struct stat ours {
  }, theirs{};
  return ::fstat(descriptor, &ours) == 0 && ::stat(path.c_str(), &theirs) == 0 && ours.st_ino == theirs.st_ino &&
         ours.st_dev == theirs.st_dev;
}

enum class Flock { kTaken, kHeldByOther, kUnsupported };

Flock try_flock(int descriptor, const fs::path& path) {
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return Flock::kTaken;
  if (errno == EWOULDBLOCK) return Flock::kHeldByOther;
  if (errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP || errno == EINVAL) return Flock::kUnsupported;
  fail(path, errno);
}

bool is_alive(const Owner& owner, Flock flock) {
  if (owner.host != host_name()) return owner.silent_s < std::chrono::duration<double>(kLockStale).count();
  // On this host flock knows. Without it a process of that number may be another one by now; better refuse than share.
  return flock == Flock::kHeldByOther || (flock == Flock::kUnsupported && process_exists(owner.pid));
}

void write_owner(int descriptor, const fs::path& path) {
  const std::string text =
      json({{"host", host_name()}, {"pid", ::getpid()}, {"job", job_id()}, {"since", utc_now()}}).dump() + "\n";
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    fail(path, errno);
}

}  // namespace

RunLock::RunLock(const fs::path& run_dir) : path_(run_dir / "lock"), last_beat_(std::chrono::steady_clock::now()) {
  for (;;) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0) fail(path_, errno);
    const Flock flock = try_flock(descriptor_, path_);
    const auto owner = read_owner(descriptor_);
    const bool taken = owner ? is_alive(*owner, flock) : flock == Flock::kHeldByOther;
    if (taken) {
      ::close(descriptor_);
      throw UserError("run directory '" + run_dir.string() + "' is in use by " +
                          (owner ? owner->text() : "a process that is just starting"),
                      "wait for it or stop it; two processes may not share a run directory");
    }
    if (owner) log::info("taking over '{}' from {}, which is gone", run_dir.string(), owner->text());
    if (flock == Flock::kHeldByOther) {
      // The file server still keeps the lock of a host that has long been silent: leave it that file, start a new one.
      if (same_file(descriptor_, path_)) ::unlink(path_.c_str());
    } else if (same_file(descriptor_, path_)) {  // else its owner deleted it between our open and our flock
      break;
    }
    ::close(descriptor_);
  }
  write_owner(descriptor_, path_);
}

RunLock::~RunLock() {
  if (still_ours()) ::unlink(path_.c_str());
  ::close(descriptor_);
}

bool RunLock::still_ours() const {
  const auto owner = same_file(descriptor_, path_) ? read_owner(descriptor_) : std::nullopt;
  return owner && owner->pid == ::getpid() && owner->host == host_name();
}

void RunLock::heartbeat(std::chrono::seconds every) {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_beat_ < every) return;
  last_beat_ = now;
  if (!still_ours())
    throw UserError("the lock '" + path_.string() + "' was taken by another process or deleted",
                    "this process stops, so that the other one can go on");
  ::futimens(descriptor_, nullptr);
}

}  // namespace sst::run
