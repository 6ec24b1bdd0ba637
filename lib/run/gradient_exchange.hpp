#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dist/gradient_reducer.hpp"
#include "dist/group.hpp"
#include "optim/optimizer.hpp"

namespace sst::run {

/// Sums the gradients of a step over the processes of a group: most of them while backward runs, those that a method makes
/// afterwards behind it; of what the optimizer has sharded, each process gets its shard. For one process alone there is nothing to do.
class GradientExchange {
 public:
  /// `late`: names of the tensors whose gradients are made after backward.
  GradientExchange(std::shared_ptr<const dist::Group> group, std::set<std::string> late)
      : group_(std::move(group)), late_(std::move(late)) {}

  /// Whether the tensors that get a gradient in backward are not known yet, or no longer: then one backward pass that
  /// counts for nothing has to come first, and learn() looks at what it left.
  bool needs_rehearsal(const optim::Optimizer& optimizer) const;
  void learn(const optim::Optimizer& optimizer);

  /// The last backward pass of a step, at whose end the gradients are sums. Throws DistributedError when another process is
  /// lost meanwhile.
  void last_pass(const std::function<void()>& backward);
  /// When every tensor has its gradient.
  void sum_late(const optim::Optimizer& optimizer) const;

 private:
  std::shared_ptr<const dist::Group> group_;
  std::set<std::string> late_;
  std::unique_ptr<dist::GradientReducer> reducer_;
  std::vector<torch::Tensor> all_;  ///< the optimizer's, when the reducer was made
};

/// A hash of every tensor that the model stores compared over the group: the name of the first one that is not the same
/// everywhere, "" when all are.
std::string first_difference(const dist::Group& group, const torch::nn::Module& model);

}  // namespace sst::run
