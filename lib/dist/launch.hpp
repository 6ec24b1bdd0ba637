#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sst::dist {

/// The leader's file of rendezvous in the run directory is called this and the job.
inline constexpr const char* kRendezvous = ".rendezvous-";

/// Where this process stands among those of its run, and where they meet.
struct Launch {
  enum class By { kSingle, kTorchrun, kSlurm, kMpi };

  By by = By::kSingle;
  int64_t rank = 0, size = 1;              ///< among all processes
  int64_t local_rank = 0, local_size = 1;  ///< among those of this machine

  std::string host = {};        ///< of the leader, rank 0; "" where only its file of rendezvous tells
  int port = 0;                 ///< of the leader's store; 0: any free one
  int port_tries = 1;           ///< ports from `port` on that the leader may take instead
  bool store_is_there = false;  ///< somebody else serves the store (torchrun's agent, the parent of --nproc)
  std::string job = {};         ///< names the file of rendezvous; "" where host and port say all

  bool is_single() const { return size == 1; }
};

using Environment = std::function<std::optional<std::string>(const char* name)>;

/// Reads what a launcher has set: torchrun's variables, then Slurm's (more than one task, and a step is running), then
/// MPI's; one process where none is. Throws DistributedError where a group of variables is half set or makes no sense.
///   source    cli_and_recipes.md, section 11
Launch detect_launch(const Environment& environment);
Launch detect_launch();  ///< of this process

/// "n[01-03,7],login1" → n01, n02, n03, n7, login1. Throws DistributedError where the list is malformed.
///   source    scontrol(1), show hostnames
std::vector<std::string> expand_node_list(const std::string& list);

}  // namespace sst::dist
