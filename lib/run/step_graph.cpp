#include "run/step_graph.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/log.hpp"
#include "tensor/changed.hpp"

namespace sst::run {
namespace {

constexpr int kCheckedSteps = 2;  ///< the second one sees other weights and another batch than those that were recorded
constexpr double kTolerance = 1e-2;

std::vector<double> norms_of(const std::vector<torch::Tensor>& tensors) {
  std::vector<double> norms;
  for (const torch::Tensor& one : tensors) norms.push_back(one.detach().to(torch::kFloat64).norm().item<double>());
  return norms;
}

}  // namespace

StepGraph::StepGraph(tasks::Task& task, optim::Optimizer& optimizer, torch::Device device,
                     std::unique_ptr<tensor::DeviceGraph> graph)
    : task_(&task),
      optimizer_(&optimizer),
      graph_(std::move(graph)),
      inverse_count_(torch::ones({}, torch::TensorOptions(torch::kFloat32).device(device))) {
  require(task.can_be_recorded(), "this task's steps cannot be recorded");
}

/// Layers keep copies of their weights in other types, and norms of them, until the weights change: what is recorded has to
/// make them in every play.
void StepGraph::forget_copies() const {
  for (const auto& tensor : task_->model().parameters()) tensor::mark_changed(tensor);
  for (const auto& tensor : task_->model().buffers()) tensor::mark_changed(tensor);
}

/// Loss and gradients of what is loaded.
std::vector<torch::Tensor> StepGraph::work(const nn::Pass& pass) {
  optimizer_->zero_grad();
  forget_copies();
  const nn::LossSum loss = task_->loss_of_loaded(pass);
  (loss.sum * inverse_count_).backward();
  std::vector<torch::Tensor> made = {loss.sum.detach()};
  trained_.clear();
  for (size_t i = 0; i < optimizer_->parameters().size(); ++i)
    if (const torch::Tensor gradient = optimizer_->parameters()[i].tensor.grad(); gradient.defined()) {
      made.push_back(gradient);
      trained_.push_back(i);
    }
  return made;
}

/// A method may have put other tensors in the places of those that were there.
bool StepGraph::is_recorded() const {
  const auto& now = optimizer_->parameters();
  return std::equal(now.begin(), now.end(), recorded_.begin(), recorded_.end(),
                    [](const auto& parameter, void* before) { return parameter.tensor.data_ptr() == before; });
}

void StepGraph::record(const nn::Pass& pass) {
  made_ = graph_->record([this, pass] { return work(pass); });
  recorded_.clear();
  for (const auto& parameter : optimizer_->parameters()) recorded_.push_back(parameter.tensor.data_ptr());
  steps_to_check_ = kCheckedSteps;
}

/// Compares what was played with a pass as it is, over the loss and the norm of every gradient.
bool StepGraph::is_right(const nn::Pass& pass) {
  const auto played = norms_of(made_), exact = norms_of(work(pass));
  double largest = 0;
  for (size_t i = 1; i < exact.size(); ++i) largest = std::max(largest, exact[i]);
  for (size_t i = 0; i < exact.size(); ++i) {
    const double scale = i == 0 ? exact[i] : std::max(exact[i], 0.01 * largest);
    if (!(std::abs(played[i] - exact[i]) <= kTolerance * scale)) return false;
  }
  return true;
}

/// What the parts of this step before `part` have given stays.
void StepGraph::give_up(int64_t part, const std::string& why) {
  log::warning("runtime.cuda_graphs: {}; going on without", why);
  graph_.reset();
  made_.clear();
  optimizer_->zero_grad();
  if (part > 0)
    for (size_t i = 0; i < trained_.size(); ++i) optimizer_->parameters()[trained_[i]].tensor.mutable_grad() = sums_[i];
  sums_.clear();
  forget_copies();
}

/// A play writes over its gradients, so they are added up elsewhere where a step has parts.
void StepGraph::hand_out_gradients(int64_t part, int64_t parts) {
  sums_.resize(trained_.size());
  for (size_t i = 0; i < trained_.size(); ++i) {
    const torch::Tensor& played = made_[i + 1];
    if (part == 0)
      sums_[i] = parts == 1 ? played : played.clone();
    else
      sums_[i].add_(played);
    optimizer_->parameters()[trained_[i]].tensor.mutable_grad() = sums_[i];
  }
}

void StepGraph::play(const nn::Pass& pass, int64_t part, double count) {
  nn::Pass recorded = pass;
  recorded.loss_scale = 1;  // the factor is the step's own, and so no part of what is recorded
  inverse_count_.fill_(1 / count);
  try {
    if (part == 0) {
      if (!is_recorded()) record(recorded);
      is_checked_ = steps_to_check_-- > 0;
    }
    graph_->play();
    if (is_checked_ && !is_right(recorded))
      give_up(part, "what is played has another loss or other gradients than the pass itself");
  } catch (const std::exception& error) {
    give_up(part, std::string("a step cannot be recorded: ") + error.what());
  }
}

nn::LossSum StepGraph::run(const nn::Pass& pass, int64_t part, int64_t parts, double count) {
  task_->load(part);
  if (graph_) play(pass, part, count);
  if (graph_) {
    hand_out_gradients(part, parts);
    return {made_.front(), count};
  }
  nn::LossSum loss = task_->loss_of_loaded(pass);
  (loss.sum / count).backward();
  return loss;
}

}  // namespace sst::run
