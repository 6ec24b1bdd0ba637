#pragma once

#include <torch/types.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dist/launch.hpp"

namespace sst::dist {

struct Engine;  ///< LibTorch's store and process group (engine.hpp)

/// Whether LibTorch threw it because an exchange with other processes went wrong; those of Gloo have no type of their own.
bool is_of_exchange(const std::exception& error);
/// To be called where `error` is caught: throws what another process's end looks like from here, LibTorch's message,
/// shortened, as DistributedError. Our own errors go on as they are.
[[noreturn]] void fail_exchange(const std::exception& error);

struct GroupOptions {
  std::chrono::seconds timeout = std::chrono::minutes(10);  ///< for meeting, and for each exchange
  std::filesystem::path folder = ".";                       ///< shared by all processes: the file of rendezvous
  torch::Device device = torch::kCPU;                       ///< whose tensors are exchanged beside the CPU's
  std::string backend = "auto";                             ///< for that device: nccl, gloo; auto: nccl for a GPU
};

/// For work that takes hours, of which the others wait for the end: preparing data.
inline constexpr std::chrono::seconds kLongWait = std::chrono::hours(24 * 7);

/// The processes of one run, which exchange tensors: every one makes the same calls in the same order. Over LibTorch's
/// process groups, Gloo for tensors in main memory and NCCL for those on GPUs. What goes wrong there (a process that is
/// lost, one that is late) comes back as DistributedError. One process alone is a group too, whose calls cost nothing.
class Group {
 public:
  Group();  ///< one process alone
  /// The first of `size` processes that are only thought of: it tells shares, and exchanges nothing.
  static std::shared_ptr<const Group> imagined(int64_t size);
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
  torch::Tensor gather(const torch::Tensor& tensor) const;         ///< of every process, [size, …], for all
  std::vector<std::string> gather(const std::string& text) const;  ///< the same for texts
  /// Returns once all have come.
  ///   patience  how long the slowest may take, where that is not GroupOptions::timeout. A process that ends is noticed at
  ///             once all the same; a machine that vanishes without a word is not
  void barrier(std::optional<std::chrono::seconds> patience = {}) const;
  /// The leader's number, once all have come; `patience` as in barrier().
  int64_t from_leader(int64_t number, std::optional<std::chrono::seconds> patience = {}) const;
  /// Throws DistributedError, naming the first rank whose `mine` is not the leader's: "rank 0 has the recipe a, but …".
  void require_same(const std::string& what, const std::string& mine) const;
  bool leader_says(bool answer) const { return largest(is_leader() && answer ? 1 : 0) > 0; }

  /// What the leader alone computes, in place, and all get.
  template <class Compute>
  void once(const Compute& compute, const std::vector<torch::Tensor>& tensors) const {
    if (is_leader()) compute();
    for (const torch::Tensor& tensor : tensors) broadcast_(tensor);
  }
  /// This process's part of `count` things in order: [begin, end).
  std::pair<int64_t, int64_t> share_of(int64_t count) const {
    return {count * rank_ / size_, count * (rank_ + 1) / size_};
  }

  const Engine& engine() const { return *engine_; }  ///< there is none for one process alone

  static std::shared_ptr<const Group> alone() { return std::make_shared<const Group>(); }

 private:
  int64_t rank_ = 0, size_ = 1;
  std::unique_ptr<Engine> engine_;
};

}  // namespace sst::dist
