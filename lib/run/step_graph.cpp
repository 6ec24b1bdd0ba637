#include "run/step_graph.hpp"

#include <ATen/DeviceAccelerator.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>

#include "core/log.hpp"

namespace sst::run {
namespace {

/// The norm of all gradients, for a comparison.
double norm_of(const std::vector<torch::Tensor>& gradients) {
  double squares = 0;
  for (const torch::Tensor& gradient : gradients)
    if (gradient.defined()) squares += std::pow(gradient.norm().item<double>(), 2);
  return std::sqrt(squares);
}

bool are_near(double a, double b) { return std::abs(a - b) <= 1e-3 * std::abs(b); }

}  // namespace

nn::LossSum StepGraph::pass_as_it_is(const nn::Pass& pass, double count) {
  const nn::LossSum loss = task_->loss_of_loaded(pass);
  (loss.sum / count).backward();
  return loss;
}

void StepGraph::record(const nn::Pass& pass, double count) {
  const c10::impl::VirtualGuardImpl device(device_.type());
  at::accelerator::synchronizeDevice(device_.index());
  const c10::StreamGuard elsewhere(device.getStreamFromGlobalPool(device_));
  double loss = 0, norm = 0;
  for (int i = 0; i < 2; ++i) {  // libraries take their memory and choose their kernels
    optimizer_->zero_grad();
    loss = pass_as_it_is(pass, count).sum.item<double>();
  }
  const auto gradients = [&] {
    std::vector<torch::Tensor> all;
    for (const auto& parameter : optimizer_->parameters()) all.push_back(parameter.tensor.grad());
    return all;
  };
  norm = norm_of(gradients());
  optimizer_->zero_grad();
  // What layers derive from their weights once a step is made anew, so that the recording makes it in every step.
  for (const auto& tensor : task_->model().parameters()) torch::autograd::impl::bump_version(tensor);
  for (const auto& tensor : task_->model().buffers()) torch::autograd::impl::bump_version(tensor);
  at::accelerator::synchronizeDevice(device_.index());
  graph_ = std::make_unique<at::accelerator::Graph>();
  graph_->capture_begin();
  loss_ = pass_as_it_is(pass, count).sum.detach();
  graph_->capture_end();
  gradients_ = gradients();
  graph_->replay();
  at::accelerator::synchronizeDevice(device_.index());
  const double played = loss_.item<double>(), played_norm = norm_of(gradients_);
  state_ = are_near(played, loss) && are_near(played_norm, norm) ? State::kRecorded : State::kRefused;
  if (state_ == State::kRecorded) return;
  log::warning(
      "runtime.cuda_graphs: the recording gives loss {} and gradient norm {}, but {} and {} are right: going on "
      "without",
      played, played_norm, loss, norm);
  graph_.reset();
  gradients_.clear();
}

/// The recording writes over its gradients each time it is played, so they are added up elsewhere where a step has parts.
void StepGraph::hand_out_gradients(int64_t part, int64_t parts) {
  for (size_t i = 0; i < gradients_.size(); ++i) {
    if (!gradients_[i].defined()) continue;
    auto& gradient = optimizer_->parameters()[i].tensor.mutable_grad();
    if (part == 0)
      gradient = parts == 1 ? gradients_[i] : gradients_[i].clone();
    else
      gradient.add_(gradients_[i]);
  }
}

nn::LossSum StepGraph::run(const nn::Pass& pass, int64_t part, int64_t parts, double count) {
  task_->load(part);
  if (state_ == State::kNew) record(pass, count);
  if (state_ == State::kRefused) return pass_as_it_is(pass, count);
  graph_->replay();
  hand_out_gradients(part, parts);
  return {loss_, count};
}

}  // namespace sst::run
