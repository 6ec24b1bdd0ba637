#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace sst::run {

/// Keeps two processes out of one run directory. The file `lock` names its owner (host, pid, job) and carries flock, so
/// that the kernel frees it when its owner dies, however it dies; its modification time is the heartbeat, which counts
/// where flock does not reach from one host to another.
///
/// Taken over with a notice: the lock of a dead process on this host, and one of another host without heartbeat for
/// kLockStale.
class RunLock {
 public:
  /// Throws UserError naming the owner when a live process holds `run_dir`, ResourceError when the lock cannot be
  /// written. `run_dir` exists.
  explicit RunLock(const std::filesystem::path& run_dir);
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock();  ///< frees the lock and deletes its file

  /// To be called every step; touches the file once `every` has passed.
  ///   throws  UserError when another process has taken the lock meanwhile (this one slept too long): stop at once,
  ///           without writing
  void heartbeat(std::chrono::seconds every = std::chrono::seconds(30));

 private:
  bool still_ours() const;

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::chrono::steady_clock::time_point last_beat_;
};

inline constexpr std::chrono::minutes kLockStale{10};

}  // namespace sst::run
