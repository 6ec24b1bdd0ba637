#pragma once

#include <memory>
#include <vector>

#include "nn/loss.hpp"
#include "nn/pass.hpp"
#include "optim/optimizer.hpp"
#include "tasks/task.hpp"
#include "tensor/device_graph.hpp"

namespace sst::run {

/// Forward and backward of a micro-batch, recorded on a device and played again (`runtime.cuda_graphs`). What it gives in
/// the first two steps is compared with passes as they are; where it differs, or nothing can be recorded, a warning says so and all
/// goes on without. Holds the gradients and activations of one micro-batch as long as it lives.
class StepGraph {
 public:
  /// `task` can be recorded (Task::can_be_recorded).
  StepGraph(tasks::Task& task, optim::Optimizer& optimizer, torch::Device device,
            std::unique_ptr<tensor::DeviceGraph> graph);

  /// Loss and gradients of one of the `parts` of the task's step, as task.loss(pass, part) and backward of sum / count make
  /// them; gradients of the parts add up.
  nn::LossSum run(const nn::Pass& pass, int64_t part, int64_t parts, double count);

  /// False once it was given up.
  bool is_in_use() const { return graph_ != nullptr; }

 private:
  std::vector<torch::Tensor> work(const nn::Pass& pass);
  void forget_copies() const;
  bool is_recorded() const;
  void record(const nn::Pass& pass);
  void play(const nn::Pass& pass, int64_t part, double count);
  bool is_right(const nn::Pass& pass);
  void give_up(int64_t part, const std::string& why);
  void hand_out_gradients(int64_t part, int64_t parts);

  tasks::Task* task_;
  optim::Optimizer* optimizer_;
  std::unique_ptr<tensor::DeviceGraph> graph_;  ///< null once it was given up
  torch::Tensor inverse_count_;                 ///< scalar on the device: steps may have different numbers of targets
  std::vector<void*> recorded_;                 ///< where the trained tensors were
  std::vector<torch::Tensor> made_;             ///< loss, then the gradients of those that get one; play() writes them
  std::vector<size_t> trained_;                 ///< whose gradients: indices into the optimizer's parameters
  std::vector<torch::Tensor> sums_;             ///< of the gradients over the parts of a step
  int64_t steps_to_check_ = 0;
  bool is_checked_ = false;  ///< this step
};

}  // namespace sst::run
