#pragma once

#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <filesystem>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "dist/launch.hpp"

namespace sst::dist {

struct MeetingTimes {
  std::chrono::seconds timeout;     ///< for all of it: until the address is there, and until the leader answers at it
  std::chrono::seconds notice{10};  ///< between two lines of who waits for the leader, and where
};

/// The store in which the processes of a run find each other. Where nobody else serves it the leader does, on the first
/// free port of those that its launch allows, and writes the real one to `<folder>/.rendezvous-<job>`, which goes with the
/// leader's Meeting. Throws DistributedError with the address that was tried when the leader does not answer in time.
struct Meeting {
  Meeting() = default;
  Meeting(const Launch& launch, const std::filesystem::path& folder, const MeetingTimes& times);
  ~Meeting() { unpublish(); }
  Meeting(Meeting&& other) noexcept;
  Meeting& operator=(Meeting&& other) noexcept;

  /// Takes the leader's file away, which nobody needs once all have come.
  void unpublish();

  c10::intrusive_ptr<c10d::Store> store;

 private:
  std::filesystem::path published_;
};

/// A store that this process serves on a free port, for the children of --nproc.
struct ServedStore {
  explicit ServedStore(std::chrono::seconds timeout);
  c10::intrusive_ptr<c10d::Store> store;
  int port = 0;
};

}  // namespace sst::dist
