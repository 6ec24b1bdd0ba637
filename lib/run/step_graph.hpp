#pragma once

#include <ATen/accelerator/Graph.h>

#include <memory>
#include <vector>

#include "nn/loss.hpp"
#include "nn/pass.hpp"
#include "optim/optimizer.hpp"
#include "tasks/task.hpp"

namespace sst::run {

/// Forward and backward of a micro-batch, recorded on a GPU and played again: one command in the place of the thousands whose
/// launching takes longer than small kernels do (`runtime.cuda_graphs`).
class StepGraph {
 public:
  StepGraph(tasks::Task& task, optim::Optimizer& optimizer, torch::Device device)
      : task_(&task), optimizer_(&optimizer), device_(device) {}

  /// Loss and gradients of one part of the task's step, as task.loss(pass, part) and backward of sum / count would make them;
  /// gradients of the parts of a step add up. The first call records, after two passes as they are, and compares what is
  /// played with them; where they differ it warns, and all goes on without a recording. Takes the memory of one more
  /// micro-batch.
  nn::LossSum run(const nn::Pass& pass, int64_t part, int64_t parts, double count);

 private:
  enum class State { kNew, kRecorded, kRefused };
  nn::LossSum pass_as_it_is(const nn::Pass& pass, double count);
  void record(const nn::Pass& pass, double count);
  void hand_out_gradients(int64_t part, int64_t parts);

  tasks::Task* task_;
  optim::Optimizer* optimizer_;
  torch::Device device_;
  State state_ = State::kNew;
  std::unique_ptr<at::accelerator::Graph> graph_;
  torch::Tensor loss_;                    ///< where the recording leaves it
  std::vector<torch::Tensor> gradients_;  ///< the same, in the optimizer's order; undefined where there is none
};

}  // namespace sst::run
