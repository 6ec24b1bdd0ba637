#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "dist/group.hpp"

/// Tensors of which each process of a group keeps a part, as ZeRO does: the elements, flattened, in one shard for each, all
/// of one length but for the last ones, which may be shorter or empty.
///   source    Rajbhandari et al. 2020, "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", 5.1
namespace sst::dist {

struct Shard {
  int64_t begin = 0, end = 0;  ///< elements
  int64_t size() const { return end - begin; }
  torch::Tensor of(const torch::Tensor& whole) const;  ///< [size], a view of a contiguous tensor
};

/// The shard of one process, of `count` elements over `processes`.
Shard shard_of(int64_t count, int64_t rank, int64_t processes);

/// [processes, Σᵢ ⌈nᵢ / processes⌉]: a row for each process, with its shards of all tensors one after the other; zeros where
/// one is shorter.
torch::Tensor pack_shards(const std::vector<torch::Tensor>& tensors, int64_t processes);
/// Copies a row of that, the shards of `rank`, back into the tensors.
void unpack_shards_(const torch::Tensor& row, const std::vector<torch::Tensor>& tensors, int64_t rank,
                    int64_t processes);

/// The tensor's gradient, made contiguous in its place: shards are runs of memory. Undefined where there is none.
torch::Tensor contiguous_gradient(const torch::Tensor& tensor);

/// Reduce-scatter: each process's shard of every tensor becomes its sum over the group, the rest of it means nothing.
void sum_shards_(const Group& group, const std::vector<torch::Tensor>& tensors);
/// All-gather: every tensor becomes whole, of the shards of all.
void gather_shards_(const Group& group, const std::vector<torch::Tensor>& tensors);
/// The tensor of `shape` whose shards the processes have.
torch::Tensor whole_of(const Group& group, const torch::Tensor& shard, at::IntArrayRef shape);

}  // namespace sst::dist
