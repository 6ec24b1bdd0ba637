#include "dist/shards.hpp"

#include <algorithm>

#include "dist/engine.hpp"

namespace sst::dist {

using torch::Tensor;

namespace {

constexpr size_t kExchangeBytes = size_t{25} << 20;  ///< about what one exchange packs together

int64_t shard_length(int64_t count, int64_t processes) { return (count + processes - 1) / processes; }

/// Rows with room for one process's shards of all tensors.
Tensor empty_rows(const std::vector<Tensor>& tensors, int64_t processes, int64_t rows) {
  int64_t length = 0;
  for (const Tensor& tensor : tensors) length += shard_length(tensor.numel(), processes);
  return torch::empty({rows, length}, tensors.front().options().requires_grad(false));
}

auto backend_of(const Group& group, const Tensor& tensor) {
  return group.engine().group->getBackend(tensor.device().type());
}

/// In their order, tensors of one type and device that fit one exchange.
std::vector<std::vector<Tensor>> exchanges_of(const std::vector<Tensor>& tensors) {
  std::vector<std::vector<Tensor>> all;
  size_t bytes = 0;
  for (const Tensor& tensor : tensors) {
    const bool fits = !all.empty() && all.back().front().options().type_equal(tensor.options()) &&
                      bytes + tensor.nbytes() <= kExchangeBytes;
    if (!fits) all.emplace_back(), bytes = 0;
    all.back().push_back(tensor);
    bytes += tensor.nbytes();
  }
  return all;
}

}  // namespace

Tensor Shard::of(const Tensor& whole) const { return whole.detach().view({-1}).narrow(0, begin, size()); }

Shard shard_of(int64_t count, int64_t rank, int64_t processes) {
  const int64_t length = shard_length(count, processes);
  return {.begin = std::min(rank * length, count), .end = std::min((rank + 1) * length, count)};
}

Tensor pack_shards(const std::vector<Tensor>& tensors, int64_t processes) {
  const torch::NoGradGuard no_grad;
  Tensor packed = empty_rows(tensors, processes, processes).zero_();
  int64_t at = 0;
  for (const Tensor& tensor : tensors) {
    const int64_t count = tensor.numel(), length = shard_length(count, processes);
    if (count == length * processes) {
      packed.narrow(1, at, length).copy_(tensor.detach().view({processes, length}));
    } else {
      for (int64_t rank = 0; rank < processes; ++rank) {
        const Shard shard = shard_of(count, rank, processes);
        packed.select(0, rank).narrow(0, at, shard.size()).copy_(shard.of(tensor));
      }
    }
    at += length;
  }
  return packed;
}

void unpack_shards_(const Tensor& row, const std::vector<Tensor>& tensors, int64_t rank, int64_t processes) {
  const torch::NoGradGuard no_grad;
  int64_t at = 0;
  for (const Tensor& tensor : tensors) {
    const Shard shard = shard_of(tensor.numel(), rank, processes);
    shard.of(tensor).copy_(row.narrow(0, at, shard.size()));
    at += shard_length(tensor.numel(), processes);
  }
}

Tensor contiguous_gradient(const Tensor& tensor) {
  Tensor& gradient = tensor.mutable_grad();
  if (gradient.defined() && !gradient.is_contiguous()) gradient = gradient.contiguous();
  return gradient;
}

void sum_shards_(const Group& group, const std::vector<Tensor>& tensors) {
  if (group.is_alone()) return;
  for (const auto& some : exchanges_of(tensors)) {
    Tensor mine = pack_shards(some, group.size()), all = torch::empty_like(mine);
    exchange([&] {
      std::vector<int64_t> equal;
      backend_of(group, mine)->alltoall_base(all, mine, equal, equal)->wait();
    });
    unpack_shards_(all.sum(0), some, group.rank(), group.size());
  }
}

void gather_shards_(const Group& group, const std::vector<Tensor>& tensors) {
  if (group.is_alone()) return;
  const torch::NoGradGuard no_grad;
  for (const auto& some : exchanges_of(tensors)) {
    Tensor all = empty_rows(some, group.size(), group.size()), mine = empty_rows(some, group.size(), 1);
    int64_t at = 0;
    for (const Tensor& tensor : some) {  // what stays between shorter shards is never read
      const Tensor shard = shard_of(tensor.numel(), group.rank(), group.size()).of(tensor);
      mine[0].narrow(0, at, shard.numel()).copy_(shard);
      at += shard_length(tensor.numel(), group.size());
    }
    exchange([&] { backend_of(group, mine)->_allgather_base(all, mine)->wait(); });
    for (int64_t rank = 0; rank < group.size(); ++rank)
      if (rank != group.rank()) unpack_shards_(all.select(0, rank), some, rank, group.size());
  }
}

Tensor whole_of(const Group& group, const Tensor& shard, at::IntArrayRef shape) {
  Tensor whole = torch::zeros(shape, shard.options());
  shard_of(whole.numel(), group.rank(), group.size()).of(whole).copy_(shard);
  gather_shards_(group, {whole});
  return whole;
}

}  // namespace sst::dist
