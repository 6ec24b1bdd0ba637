#pragma once

#include <torch/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dist/launch.hpp"

namespace sst::dist {

struct Engine;  ///< LibTorch's store and process group (engine.hpp)

struct GroupOptions {
  std::chrono::seconds timeout = std::chrono::minutes(10);  ///< for meeting, and for each exchange
  std::filesystem::path folder = ".";                       ///< shared by all processes: the file of rendezvous
  torch::Device device = torch::kCPU;                       ///< whose tensors are exchanged beside the CPU's
};

/// The processes of one run, which exchange tensors: every one makes the same calls in the same order. Over LibTorch's
/// process groups, Gloo for tensors in main memory and NCCL for those on GPUs. What goes wrong there (a process that is
/// lost, one that is late) comes back as DistributedError. One process alone is a group too, whose calls cost nothing.
class Group {
 public:
  Group();  ///< one process alone
  /// Meets the others. Throws DistributedError with the address tried when they do not come within the time-out.
  Group(const Launch& launch, const GroupOptions& options);
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  int64_t rank() const { return rank_; }
  int64_t size() const { return size_; }
  bool is_leader() const { return rank_ == 0; }
  bool is_alone() const { return size_ == 1; }

  void sum_(torch::Tensor tensor) const;       ///< over all processes, the same bits everywhere
  void sum_(std::span<double> numbers) const;  ///< the same for a few numbers
  double largest(double number) const;
  void broadcast_(torch::Tensor tensor, int64_t from = 0) const;
  std::vector<std::string> gather(const std::string& text) const;  ///< of every process, by rank, for all
  void barrier() const;

  const Engine& engine() const { return *engine_; }  ///< there is none for one process alone

 private:
  int64_t rank_ = 0, size_ = 1;
  std::unique_ptr<Engine> engine_;
};

}  // namespace sst::dist
