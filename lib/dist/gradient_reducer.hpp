#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "dist/group.hpp"

namespace sst::dist {

/// Sums gradients over the processes of a group while backward is still making others: LibTorch's DistributedDataParallel
/// engine, whose buckets are exchanged as soon as the last gradient of each is there. Buckets are those of the tensors in
/// reverse order and never change, so that a run that was cut sums in the same order as one that was not.
class GradientReducer {
 public:
  /// Tensors that get a gradient in every backward pass, the same on all processes. Of those in `sharded` each process gets
  /// its own shard of the sum alone (shards.hpp), and something else in the rest of the gradient.
  GradientReducer(const Group& group, const std::vector<torch::Tensor>& tensors,
                  const std::vector<torch::Tensor>& sharded = {});
  ~GradientReducer();

  /// The next backward pass is a step's last: the gradients that it leaves, with what earlier passes have added to them,
  /// are summed over the group when it returns.
  void expect_last_pass();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Sums the tensors' gradients, of one type and device, over the group, for those that are not there yet when backward
/// returns. Undefined ones stay so.
void sum_gradients(const Group& group, const std::vector<torch::Tensor>& tensors,
                   const std::vector<torch::Tensor>& sharded = {});

}  // namespace sst::dist
