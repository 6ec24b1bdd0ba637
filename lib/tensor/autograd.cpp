#include "tensor/autograd.hpp"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <memory>
#include <type_traits>
#include <utility>

#include "core/error.hpp"

namespace sst::tensor {
namespace {

class ClosureNode final : public torch::autograd::Node {
 public:
  explicit ClosureNode(Backward backward) : backward_(std::move(backward)) {}

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    require(static_cast<bool>(backward_), "a graph was walked backward a second time after it had been freed");
    if (!gradients[0].defined()) return torch::autograd::variable_list(num_outputs());
    std::vector<bool> needs;
    for (size_t i = 0; i < num_outputs(); ++i) needs.push_back(task_should_compute_output(i));
    const torch::NoGradGuard no_grad;
    return backward_(gradients[0], needs);
  }

  void release_variables() override { backward_ = nullptr; }

 private:
  Backward backward_;
};

/// LibTorch counts its nodes by std::shared_ptr up to 2.12 and by itself since.
template <class Node>
auto make_node(Backward backward) {
  if constexpr (std::is_base_of_v<c10::intrusive_ptr_target, Node>)
    return c10::make_intrusive<Node>(std::move(backward));
  else
    return std::make_shared<Node>(std::move(backward));
}

}  // namespace

torch::Tensor with_backward(torch::Tensor output, const std::vector<torch::Tensor>& inputs, Backward backward) {
  require(!output.requires_grad(), "with_backward needs an output that was computed without a graph");
  bool any = false;
  for (const torch::Tensor& input : inputs) any = any || (input.defined() && input.requires_grad());
  if (!any || !torch::GradMode::is_enabled()) return output;
  const auto node = make_node<ClosureNode>(std::move(backward));
  node->set_next_edges(torch::autograd::collect_next_edges(inputs));
  torch::autograd::set_history(output, node);
  return output;
}

}  // namespace sst::tensor
